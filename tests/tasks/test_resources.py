"""Resources: at no time held more often than they may be, and no task in hand without what it needs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from orchestrator_site.kernel.errors import Conflict, Forbidden, Hint, Invalid, NotFound, NotReady
from orchestrator_site.kernel.identity import Scope
from tasks import roles
from tasks.choices import Status, Verb
from tasks.identity.actor import Actor
from tasks.models import Attempt, Event, Project, Resource, ResourceHold, ResourceNeed, Session, Task
from tasks.services import dependencies, holds, leases, readiness, resources, steer
from tasks.services.actions import seen_as, update
from tasks.services.archive import archive, restore
from tasks.services.archive_plans import archive_plans
from tasks.services.claim import claim, claim_next
from tasks.services.complete import complete
from tasks.services.edit import Changes, edit
from tasks.services.plan import Subtask, plan
from tasks.services.sessions import end_connection, touch
from tests.factories import make_hold, make_project, make_resource, make_session

pytestmark = pytest.mark.django_db

ADMIN = Actor(kind="person", name="ada")
READER = Actor(kind="person", name="eve", scopes=frozenset({Scope.READ, Scope.WRITE}))


@pytest.fixture
def project() -> Project:
    return make_project("ledger")


@pytest.fixture
def staging(project: Project) -> Resource:
    return make_resource(project)


@pytest.fixture
def claude(project: Project) -> Actor:
    return Actor.assistant(make_session(project))


@pytest.fixture
def codex(project: Project) -> Actor:
    return Actor.assistant(make_session(project, client_name="Codex"), frozenset({Scope.READ, Scope.WRITE}))


def planned(project: Project, *needs: tuple[str, ...]) -> list[Task]:
    """Plan a leaf for each of some tuples of resources."""
    subtasks = [
        Subtask(title=f"T{place}", description="Do it", specialist="tester", resources=names)
        for place, names in enumerate(needs)
    ]
    made = plan(
        project=project, actor=ADMIN, catalogue=roles.catalogue(project), description="A job", subtasks=subtasks
    )
    return [Task.objects.get(pk=task.pk) for task in made.tasks]


def again(task: Task) -> Task:
    return Task.objects.get(pk=task.pk)


def held(name: str = "staging") -> int:
    resource = Resource.objects.get(name=name)
    assert resource.held == resource.holds.count()
    return resource.held


def test_a_claim_takes_what_the_task_needs_and_what_it_fills_makes_others_wait(
    project: Project, staging: Resource, claude: Actor
) -> None:
    first, second, other = planned(project, ("staging",), ("staging",), ())
    claim(task=first, actor=claude)
    assert held() == 1
    assert (again(second).is_ready, again(other).is_ready) == (False, True)
    assert Event.objects.get(verb=Verb.CLAIM).after["resources"] == {"staging": 1}


def test_two_may_hold_a_resource_of_capacity_two(project: Project, claude: Actor) -> None:
    make_resource(project, capacity=2)
    first, second, third = planned(project, *[("staging",)] * 3)
    claim(task=first, actor=claude)
    assert again(third).is_ready
    claim(task=second, actor=claude)
    assert (held(), again(third).is_ready) == (2, False)


def test_a_claim_without_its_resource_is_not_ready_and_names_the_holder(
    project: Project, staging: Resource, claude: Actor, codex: Actor
) -> None:
    first, second = planned(project, ("staging",), ("staging",))
    until = claim(task=first, actor=claude).task.lease_expires_at
    with pytest.raises(NotReady) as refused:
        claim(task=second, actor=codex)
    assert until is not None
    holder = {"holder": "Claude Code", "until": until.isoformat(timespec="seconds"), "task_id": first.public_id}
    assert refused.value.details == {"resource": "staging", "capacity": 1, "held_by": [holder]}
    assert again(second).status == Status.PENDING and held() == 1


def test_who_finds_a_resource_full_is_given_only_some_of_its_holders(project: Project, claude: Actor) -> None:
    (task,) = planned(make_resource(project, capacity=8).project, ("staging",))
    for _ in range(8):
        make_hold(Resource.objects.get())
    with pytest.raises(NotReady) as refused:
        claim(task=task, actor=claude)
    assert len(refused.value.details["held_by"]) == 5


def test_a_task_that_needs_two_takes_both_or_neither(
    project: Project, staging: Resource, claude: Actor, codex: Actor
) -> None:
    make_resource(project, "port")
    first, second = planned(project, ("staging",), ("port", "staging"))
    claim(task=first, actor=claude)
    with pytest.raises(NotReady):
        claim(task=second, actor=codex)
    assert (held("port"), held()) == (0, 1)
    complete(task=first, actor=claude, summary="Done")
    claim(task=second, actor=codex)
    assert (held("port"), held()) == (1, 1)


def test_the_next_task_is_one_whose_resource_is_free(
    project: Project, staging: Resource, claude: Actor, codex: Actor
) -> None:
    first, _, free = planned(project, ("staging",), ("staging",), ())
    assert claim_next(project=project, actor=claude).task == first
    assert claim_next(project=project, actor=codex).task == free
    with pytest.raises(NotReady) as refused:
        claim_next(project=project, actor=codex)
    assert refused.value.details["resources"] == ["staging"]


def test_where_tasks_wait_only_for_a_resource_the_next_step_names_it(
    project: Project, staging: Resource, claude: Actor, codex: Actor
) -> None:
    planned(project, ("staging",))
    resources.hold(project=project, actor=claude, name="staging")
    with pytest.raises(NotReady) as refused:
        claim_next(project=project, actor=codex)
    assert "staging" in refused.value.next and refused.value.hint == Hint.WAIT


ENDINGS: dict[str, Callable[[Task, Actor], Any]] = {
    "complete": lambda task, actor: complete(task=task, actor=actor, summary="Done"),
    "hand_back": lambda task, actor: complete(
        task=task, actor=actor, summary="Not yet", outcome=Status.NEEDS_REVISION, reason="Half of it"
    ),
    "block": lambda task, actor: steer.block(task=task, actor=actor, reason="A question"),
    "fail": lambda task, actor: steer.fail(task=task, actor=actor, reason="It broke"),
    "release": lambda task, actor: steer.release(task=task, actor=actor, reason="Later"),
    "cancel": lambda task, actor: steer.cancel(task=task, actor=actor, reason="Not needed"),
    "cancel the plan": lambda task, actor: steer.cancel(task=again(task).root, actor=actor, reason="Not needed"),
    "split": lambda task, actor: plan(
        project=task.project,
        actor=actor,
        catalogue=roles.catalogue(task.project),
        description="In parts",
        subtasks=[Subtask(title="A part", description="Do it", specialist="tester")],
        parent=task,
    ),
    "run out": lambda task, actor: (run_out(task), leases.free_run_out(project=task.project)),
    "the session ends": lambda task, actor: (
        end_connection(actor.session.connection_id),
        leases.free_run_out(project=task.project),
    ),
    "archive": lambda task, actor: (run_out(task), archive(task=again(task).root, actor=ADMIN)),
    "archive with others": lambda task, actor: (
        run_out(task),
        archive_plans(project=task.project, plans={task.root_id: seen_as(again(task).root)}, actor=ADMIN),
    ),
}


def run_out(task: Task) -> None:
    Task.objects.filter(pk=task.pk).update(lease_expires_at=timezone.now() - timedelta(minutes=1))


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_ending_gives_back_what_the_task_held(
    ending: str, project: Project, staging: Resource, claude: Actor
) -> None:
    (first,), (waiting,) = planned(project, ("staging",)), planned(project, ("staging",))
    task = claim(task=first, actor=claude).task
    assert (held(), again(waiting).is_ready) == (1, False)
    ENDINGS[ending](task, claude)
    assert (held(), again(waiting).is_ready) == (0, True)


def test_a_released_task_is_ready_again(project: Project, staging: Resource, claude: Actor) -> None:
    (task,) = planned(project, ("staging",))
    steer.release(task=claim(task=task, actor=claude).task, actor=claude)
    assert again(task).is_ready


def test_who_takes_over_keeps_the_resource_under_a_new_number(
    project: Project, staging: Resource, claude: Actor, codex: Actor
) -> None:
    first, second = planned(project, ("staging",), ("staging",))
    claim(task=first, actor=claude)
    claim(task=first, actor=codex, take_over=True)
    hold = ResourceHold.objects.get()
    assert (hold.number, hold.holder, hold.session) == (2, "Codex", codex.session)
    assert (held(), again(second).is_ready) == (1, False)


def test_a_lease_that_ran_out_does_not_keep_a_resource_from_a_claim(
    project: Project, staging: Resource, claude: Actor, codex: Actor
) -> None:
    first, second = planned(project, ("staging",), ("staging",))
    claim(task=first, actor=claude)
    run_out(first)
    claim(task=second, actor=codex)
    assert (again(first).status, again(first).is_ready, held()) == (Status.PENDING, False, 1)


def test_the_next_task_may_need_what_ran_out(project: Project, staging: Resource, claude: Actor, codex: Actor) -> None:
    planned(project, ("staging",))
    resources.hold(project=project, actor=claude, name="staging")
    ResourceHold.objects.update(expires_at=timezone.now() - timedelta(minutes=1))
    assert claim_next(project=project, actor=codex).task.status == Status.ACTIVE
    assert ResourceHold.objects.get().number == 2


@pytest.mark.parametrize("ending", ["archive", "archive with others"])
def test_a_task_archived_with_a_lease_that_ran_out_is_restored_without_it(
    ending: str, project: Project, staging: Resource, claude: Actor, codex: Actor
) -> None:
    (task,) = planned(project, ("staging",))
    ENDINGS[ending](claim(task=task, actor=claude).task, claude)
    resources.hold(project=project, actor=codex, name="staging")
    restore(task=Task.objects.get(pk=task.plan_id), actor=ADMIN)
    found = again(task)
    assert (found.status, found.is_ready, found.lease_session) == (Status.PENDING, False, None)
    assert Attempt.objects.get().outcome == Verb.RELEASE
    with pytest.raises(NotReady):
        claim(task=task, actor=claude)


def test_the_parts_of_a_divided_task_need_what_it_needed(project: Project, staging: Resource, claude: Actor) -> None:
    make_resource(project, "port")
    (task,) = planned(project, ("staging",))
    own = Subtask(title="Own", description="Do it", specialist="tester", resources=("port", "staging"))
    below = Subtask(title="Below", description="Do it", specialist="tester")
    group = Subtask(title="Group", description="All", subtasks=(below,))
    made = plan(
        project=project, actor=ADMIN, catalogue=roles.catalogue(project), description="In parts",
        subtasks=[own, group], parent=task,
    )  # fmt: skip
    needs = ResourceNeed.objects.order_by("task_id", "resource__name").values_list("task__title", "resource__name")
    assert list(needs) == [("Own", "port"), ("Own", "staging"), ("Below", "staging")]
    claim(task=made.tasks[0], actor=claude)
    assert held() == 1 and not again(made.tasks[2]).is_ready


def test_the_best_task_is_one_whose_resource_ran_out_though_another_is_ready(
    project: Project, staging: Resource, claude: Actor, codex: Actor
) -> None:
    best, _ = planned(project, ("staging",), ())
    resources.hold(project=project, actor=claude, name="staging")
    ResourceHold.objects.update(expires_at=timezone.now() - timedelta(minutes=1))
    assert claim_next(project=project, actor=codex).task == best


def test_a_dependency_and_a_resource_both_have_to_be_there(
    project: Project, staging: Resource, claude: Actor, codex: Actor
) -> None:
    first, second, third = planned(project, (), ("staging",), ("staging",))
    catalogue = roles.catalogue(project)
    edit(task=second, actor=ADMIN, changes=Changes(add_dependencies=[first]), catalogue=catalogue)
    claim(task=third, actor=codex)
    complete(task=first, actor=claude, summary="Done")
    assert not again(second).is_ready
    complete(task=third, actor=codex, summary="Done")
    assert again(second).is_ready


def test_an_edit_with_an_action_locks_the_graph_before_resources_as_a_plan_does(
    project: Project, staging: Resource, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, need = planned(project, (), ())
    steer.block(task=task, actor=ADMIN, reason="Why")
    locks: list[str] = []
    monkeypatch.setattr(dependencies, "lock_graph", lambda _: locks.append("graph"))
    monkeypatch.setattr(holds, "lock_all", lambda _: locks.append("resources"))
    update(task=again(task), actor=ADMIN, changes=Changes(add_dependencies=[need]), verb=Verb.UNBLOCK)
    assert locks[:2] == ["graph", "resources"]
    locks.clear()
    update(task=Task.objects.get(pk=task.plan_id), actor=ADMIN, changes=Changes({"title": "Old"}), verb=Verb.ARCHIVE)
    assert locks[:2] == ["graph", "resources"]


def test_only_tasks_whose_mark_changes_are_written(project: Project, staging: Resource, claude: Actor) -> None:
    first, *_ = planned(project, *[("staging",)] * 3)
    claim(task=first, actor=claude)
    assert readiness.refresh_full(resource=staging.pk) == 0
    Resource.objects.update(capacity=2)
    assert readiness.refresh_freed(resource=staging.pk) == 2
    assert readiness.refresh_freed(resource=staging.pk) == 0


# Alone


def test_a_session_holds_a_resource_alone_as_long_as_a_lease(
    project: Project, staging: Resource, claude: Actor
) -> None:
    (task,) = planned(project, ("staging",))
    made = resources.hold(project=project, actor=claude, name="staging")
    assert made.expires_at is not None
    assert timedelta(0) < made.expires_at - timezone.now() <= leases.duration(project)
    assert (made.number, held(), again(task).is_ready) == (1, 1, False)
    resources.let_go(project=project, actor=claude, name="staging", number=made.number)
    assert (held(), again(task).is_ready) == (0, True)


def test_who_holds_alone_what_a_task_of_its_own_needs_is_asked_to_give_it_back(
    project: Project, staging: Resource, claude: Actor, codex: Actor
) -> None:
    (task,) = planned(project, ("staging",))
    resources.hold(project=project, actor=claude, name="staging")
    for actor, hint in ((claude, Hint.FREE_RESOURCE), (codex, Hint.CLAIM_NEXT), (ADMIN, Hint.CLAIM_NEXT)):
        with pytest.raises(NotReady) as refused:
            claim(task=task, actor=actor)
        assert refused.value.hint == hint


def test_holding_it_again_renews_it(project: Project, staging: Resource, claude: Actor) -> None:
    resources.hold(project=project, actor=claude, name="staging")
    soon = timezone.now() + timedelta(minutes=1)
    ResourceHold.objects.update(expires_at=soon)
    made = resources.hold(project=project, actor=claude, name="staging")
    assert made.number == 1 and made.expires_at is not None and made.expires_at > soon


def test_the_calls_of_a_session_renew_what_it_holds(project: Project, staging: Resource, claude: Actor) -> None:
    assert claude.session is not None
    resources.hold(project=project, actor=claude, name="staging")
    soon = timezone.now() + timedelta(minutes=1)
    ResourceHold.objects.update(expires_at=soon)
    Session.objects.update(last_seen_at=timezone.now() - timedelta(minutes=5))
    touch(Session.objects.get(pk=claude.session.pk))
    assert ResourceHold.objects.get(expires_at__gt=soon)


def test_the_end_of_a_session_frees_what_it_holds_alone(
    project: Project, staging: Resource, claude: Actor, codex: Actor
) -> None:
    assert claude.session is not None
    resources.hold(project=project, actor=claude, name="staging")
    end_connection(claude.session.connection_id)
    assert resources.hold(project=project, actor=codex, name="staging").number == 2


def test_a_hold_that_ran_out_is_freed_by_the_sweep(project: Project, staging: Resource, claude: Actor) -> None:
    (task,) = planned(project, ("staging",))
    resources.hold(project=project, actor=claude, name="staging")
    ResourceHold.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    leases.free_everywhere()
    assert (held(), again(task).is_ready) == (0, True)
    assert Event.objects.get(verb=Verb.LET_GO).actor_kind == "system"


def test_no_hold_outlasts_a_lease_that_begins_now_after_the_clock_was_set_back(
    project: Project, staging: Resource, claude: Actor
) -> None:
    resources.hold(project=project, actor=claude, name="staging")
    ResourceHold.objects.update(expires_at=timezone.now() + timedelta(days=3))
    leases.free_run_out(project=project)
    assert ResourceHold.objects.get(expires_at__lte=timezone.now() + leases.duration(project))


def test_an_old_number_gives_nothing_back(project: Project, staging: Resource, claude: Actor, codex: Actor) -> None:
    old = resources.hold(project=project, actor=claude, name="staging")
    resources.let_go(project=project, actor=claude, name="staging")
    resources.hold(project=project, actor=codex, name="staging")
    with pytest.raises(Conflict) as refused:
        resources.let_go(project=project, actor=claude, name="staging", number=old.number)
    assert (refused.value.details, held()) == ({"last_number": 2}, 1)


def test_a_client_that_lost_its_session_renews_and_frees_by_number_with_its_token(
    project: Project, staging: Resource, codex: Actor
) -> None:
    scopes = frozenset({Scope.READ, Scope.WRITE})
    before, after = [Actor.assistant(make_session(project, token_id="t1"), scopes) for _ in range(2)]
    made = resources.hold(project=project, actor=before, name="staging")
    ResourceHold.objects.update(expires_at=timezone.now() + timedelta(minutes=1))
    with pytest.raises(NotReady):
        resources.hold(project=project, actor=after, name="staging")
    with pytest.raises(Conflict):
        resources.hold(project=project, actor=codex, name="staging", number=made.number)
    renewed = resources.hold(project=project, actor=after, name="staging", number=made.number)
    assert (renewed.number, renewed.session) == (made.number, after.session)
    assert ResourceHold.objects.get().expires_at == renewed.expires_at
    resources.let_go(project=project, actor=before, name="staging", number=made.number)
    assert held() == 0


def test_only_a_reviewer_frees_what_another_holds(
    project: Project, staging: Resource, claude: Actor, codex: Actor
) -> None:
    made = resources.hold(project=project, actor=claude, name="staging")
    with pytest.raises(Forbidden):
        resources.let_go(project=project, actor=codex, name="staging", number=made.number)
    assert held() == 1
    resources.let_go(project=project, actor=ADMIN, name="staging", number=made.number)
    assert held() == 0


def test_what_is_held_with_a_task_is_given_back_with_the_task(
    project: Project, staging: Resource, claude: Actor
) -> None:
    (task,) = planned(project, ("staging",))
    claim(task=task, actor=claude)
    with pytest.raises(Conflict):
        resources.let_go(project=project, actor=ADMIN, name="staging", number=1)
    assert held() == 1


def test_who_holds_nothing_gives_nothing_back(project: Project, staging: Resource, claude: Actor, codex: Actor) -> None:
    resources.hold(project=project, actor=codex, name="staging")
    with pytest.raises(Conflict):
        resources.let_go(project=project, actor=claude, name="staging")
    assert held() == 1


def test_an_agent_in_a_run_holds_nothing_alone(project: Project, staging: Resource) -> None:
    (task,) = planned(project, ())
    agent = Actor.assistant(make_session(project), only_task=task.pk)
    with pytest.raises(Forbidden):
        resources.hold(project=project, actor=agent, name="staging")
    assert held() == 0


# What a project has, and what tasks need


def test_an_unknown_resource_of_a_plan_is_refused_with_those_that_there_are(
    project: Project, staging: Resource
) -> None:
    with pytest.raises(Invalid) as refused:
        planned(project, (), ("stageing",))
    (problem,) = refused.value.details["problems"]
    assert (problem["at"], problem["allowed"]) == ("subtasks[1].resources[0]", ["staging"])
    assert not Task.objects.exists()


def test_of_many_resources_only_some_are_named_as_allowed(project: Project) -> None:
    for number in range(30):
        make_resource(project, f"port-{number:02}")
    with pytest.raises(Invalid) as refused:
        planned(project, ("staging",))
    (problem,) = refused.value.details["problems"]
    assert problem["allowed"] == [f"port-{number:02}" for number in range(20)]


def test_a_group_needs_no_resource(project: Project, staging: Resource) -> None:
    part = Subtask(title="Part", description="Do it", specialist="tester")
    with pytest.raises(Invalid):
        plan(
            project=project, actor=ADMIN, catalogue=roles.catalogue(project), description="A job",
            subtasks=[Subtask(title="Group", description="All", resources=("staging",), subtasks=(part,))],
        )  # fmt: skip


def test_what_an_unfinished_task_needs_is_edited(project: Project, staging: Resource, claude: Actor) -> None:
    make_resource(project, "port")
    resources.hold(project=project, actor=claude, name="staging")
    (task,) = planned(project, ("port",))
    catalogue = roles.catalogue(project)
    edit(task=task, actor=ADMIN, changes=Changes(resources=["staging", "port"]), catalogue=catalogue)
    assert not again(task).is_ready
    edit(task=again(task), actor=ADMIN, changes=Changes(resources=[]), catalogue=catalogue)
    assert again(task).is_ready and not ResourceNeed.objects.exists()


def test_what_a_task_in_hand_needs_stays(project: Project, staging: Resource, claude: Actor) -> None:
    (task,) = planned(project, ("staging",))
    claim(task=task, actor=claude)
    with pytest.raises(Conflict):
        edit(task=task, actor=ADMIN, changes=Changes(resources=[]), catalogue=roles.catalogue(project))
    assert held() == 1 and ResourceNeed.objects.count() == 1


def test_more_capacity_makes_tasks_ready(project: Project, staging: Resource, claude: Actor) -> None:
    first, second = planned(project, ("staging",), ("staging",))
    claim(task=first, actor=claude)
    resources.put_resource(project=project, actor=ADMIN, name="staging", capacity=2)
    assert again(second).is_ready
    resources.put_resource(project=project, actor=ADMIN, name="staging", capacity=1)
    assert not again(second).is_ready


def test_a_capacity_below_what_is_held_is_refused(project: Project, claude: Actor, codex: Actor) -> None:
    make_resource(project, capacity=2)
    for actor in (claude, codex):
        resources.hold(project=project, actor=actor, name="staging")
    with pytest.raises(Conflict):
        resources.put_resource(project=project, actor=ADMIN, name="staging", capacity=1)
    assert Resource.objects.get().capacity == 2


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({"name": "A b"}, "name"),
        ({"name": "port", "capacity": 0}, "capacity"),
        ({"name": "port", "capacity": 1_001}, "capacity"),
        ({"name": "port", "title": "x" * 201}, "title"),
        ({"name": "port", "title": "a\x00"}, "title"),
    ],
)
def test_a_resource_that_cannot_be_is_refused(project: Project, fields: dict[str, Any], at: str) -> None:
    with pytest.raises(Invalid) as refused:
        resources.put_resource(project=project, actor=ADMIN, **fields)
    assert [problem["at"] for problem in refused.value.details["problems"]] == [at]
    assert not Resource.objects.exists()


def test_what_is_held_or_needed_is_not_deleted(project: Project, staging: Resource, claude: Actor) -> None:
    (task,) = planned(project, ("staging",))
    with pytest.raises(Conflict):
        resources.delete_resource(project=project, actor=ADMIN, name="staging")
    steer.cancel(task=task, actor=ADMIN)
    resources.hold(project=project, actor=claude, name="staging")
    with pytest.raises(Conflict):
        resources.delete_resource(project=project, actor=ADMIN, name="staging")
    resources.let_go(project=project, actor=claude, name="staging")
    resources.delete_resource(project=project, actor=ADMIN, name="staging")
    with pytest.raises(NotFound):
        resources.hold(project=project, actor=claude, name="staging")


def test_a_resource_that_is_deleted_and_added_again_goes_on_with_its_numbers(project: Project, claude: Actor) -> None:
    for number in (1, 2, 3):
        resources.put_resource(project=project, actor=ADMIN, name="staging")
        assert resources.hold(project=project, actor=claude, name="staging").number == number
        resources.let_go(project=project, actor=claude, name="staging")
        resources.delete_resource(project=project, actor=ADMIN, name="staging")
    resources.put_resource(project=project, actor=ADMIN, name="port")
    assert resources.hold(project=project, actor=claude, name="port").number == 1


def test_only_an_admin_changes_resources(project: Project, staging: Resource) -> None:
    with pytest.raises(Forbidden):
        resources.put_resource(project=project, actor=READER, name="staging", capacity=5)
    with pytest.raises(Forbidden):
        resources.delete_resource(project=project, actor=READER, name="staging")
    assert Resource.objects.get().capacity == 1


def test_a_task_that_needs_nothing_has_its_attempt_and_no_hold(project: Project, claude: Actor) -> None:
    (task,) = planned(project, ())
    claim(task=task, actor=claude)
    complete(task=task, actor=claude, summary="Done")
    assert Attempt.objects.count() == 1 and not ResourceHold.objects.exists()
