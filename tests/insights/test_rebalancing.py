"""What would balance the work: proposals with reasons, previewed and then applied exactly, or not at all."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from orchestrator_site.kernel.errors import Conflict, Forbidden
from orchestrator_site.kernel.identity import Scope, with_included
from tasks.choices import Complexity, Priority, Status, Verb
from tasks.identity.actor import Actor
from tasks.insights.choices import Dimension, Horizon, Name
from tasks.insights.selectors import rebalancing
from tasks.insights.selectors.rebalancing import Kind, Preview, Request, preview_of
from tasks.insights.services.rebalance import rebalance
from tasks.models import Event, Project, Task
from tasks.services import dependencies, holds, order
from tasks.services.claim import claim
from tasks.services.complete import complete
from tests.factories import make_plan, make_project, make_session, make_task
from tests.insights.figures import figures, work

pytestmark = pytest.mark.django_db
ADA = Actor(kind="person", name="ada")
ASKED = Request()


@pytest.fixture
def project() -> Project:
    return make_project("shop")


@pytest.fixture
def blocker(project: Project) -> Task:
    """A task that three others wait for."""
    return make_task(project, parent=make_plan(project, 0), specialist="tester", is_ready=True, unblocks=3, chain=2)


def kinds(preview: Preview) -> list[Kind]:
    return [each.kind for each in preview.proposals]


def make_busy(project: Project) -> Task:
    """Give the tester five finished tasks in the window and more to do than that; returns the first to do."""
    for number in range(25):
        task = make_task(project, parent=make_plan(project, 0), specialist="tester", is_ready=True, position=number)
        if number < 5:
            complete(task=task, actor=ADA, summary="Done")
    first = Task.objects.ready().filter(project=project).first()
    assert first is not None
    return first


def test_an_empty_board_has_nothing_to_balance(project: Project) -> None:
    found = preview_of(project, ASKED)
    assert (found.proposals, found.plan_token) == ([], "")


def test_what_others_wait_for_is_boosted_with_the_reason(project: Project, blocker: Task) -> None:
    (proposal,) = preview_of(project, ASKED).proposals
    assert (proposal.kind, proposal.task, proposal.priority) == (Kind.BOOST, blocker, "high")
    assert "3" in proposal.reason


@pytest.mark.parametrize(
    "columns",
    [{"unblocks": 1}, {"priority": 3}, {"is_ready": False}, {"is_ready": False, "status": Status.IN_REVIEW}],
)
def test_what_few_wait_for_or_comes_first_anyway_or_cannot_start_stays(
    project: Project, blocker: Task, columns: dict[str, object]
) -> None:
    Task.objects.filter(pk=blocker.pk).update(**columns)
    assert preview_of(project, ASKED).proposals == []


def test_what_is_held_is_never_moved(project: Project, blocker: Task) -> None:
    claim(task=blocker, actor=Actor.assistant(make_session(project)))
    assert preview_of(project, ASKED).proposals == []


def test_an_old_very_complex_task_is_to_be_split_by_a_planner(project: Project) -> None:
    fields = {"complexity": Complexity.VERY_COMPLEX, "is_ready": True, "specialist": "tester"}
    old = make_task(project, created_at=timezone.now() - timedelta(days=8), **fields)
    make_task(project, **fields)
    found = preview_of(project, ASKED)
    assert [(each.kind, each.task) for each in found.proposals] == [(Kind.SPLIT, old)]
    assert rebalance(project=project, actor=ADA, plan_token=found.plan_token, request=ASKED) == []
    assert not Event.objects.filter(task=old).exists()


def test_a_client_with_nothing_in_hand_is_wished_for_where_there_is_too_much(project: Project) -> None:
    first = make_busy(project)
    make_session(project, client_name="Codex")
    busy = make_session(project, client_name="Claude Code")
    held = make_task(project, specialist="architect", is_ready=True)
    claim(task=held, actor=Actor.assistant(busy))
    found = preview_of(project, ASKED)
    assert [(each.kind, each.task, each.client) for each in found.proposals] == [(Kind.ASSIGN, first, "codex")]
    rebalance(project=project, actor=ADA, plan_token=found.plan_token, request=ASKED)
    first.refresh_from_db()
    assert first.for_client == "codex"


def test_a_client_that_holds_a_task_under_another_spelling_is_not_wished_for(project: Project) -> None:
    make_busy(project)
    for name in ("Codex", "codex", "Claude Code"):
        session = make_session(project, client_name=name)
        if name != "codex":
            held = make_task(project, specialist="architect", is_ready=True)
            claim(task=held, actor=Actor.assistant(session))
    assert preview_of(project, ASKED).proposals == []


@pytest.mark.parametrize(
    "codex", [{"last_seen_at": timezone.now() - timedelta(hours=1)}, {"ended_at": timezone.now()}, {"client_name": ""}]
)
def test_a_client_that_is_gone_is_not_wished_for(project: Project, codex: dict[str, object]) -> None:
    make_busy(project)
    make_session(project, **{"client_name": "Codex", **codex})
    make_session(project, client_name="Claude Code")
    assert preview_of(project, ASKED).proposals == []


@pytest.mark.parametrize(("n", "wait", "wanted"), [(5, 900.0, [Kind.REVIEW]), (4, 900.0, []), (5, 300.0, [])])
def test_reviews_are_asked_for_where_they_take_longer_than_the_tasks(
    project: Project, monkeypatch: pytest.MonkeyPatch, n: int, wait: float, wanted: list[Kind]
) -> None:
    rows = figures((Name.REVIEW_WAIT, Dimension.PROJECT, "", n, wait), work(Dimension.PROJECT, "", 5, 300.0))
    monkeypatch.setattr(rebalancing, "figures_of", lambda project: rows)
    for hours in (1, 9, 3):
        make_task(project, status=Status.IN_REVIEW, active_at=timezone.now() - timedelta(hours=hours), title=f"{hours}")
    found = preview_of(project, ASKED)
    assert kinds(found) == wanted
    assert [each.task.title for each in found.proposals] == ["9"] * len(wanted)


def test_a_preview_changes_nothing_and_has_the_same_token_again(project: Project, blocker: Task) -> None:
    tokens = {preview_of(project, ASKED).plan_token for _ in range(2)}
    assert len(tokens) == 1 and tokens != {""}
    blocker.refresh_from_db()
    assert blocker.priority == Priority.NORMAL


def test_what_was_previewed_is_done_once(project: Project, blocker: Task) -> None:
    token = preview_of(project, ASKED).plan_token
    (done,) = rebalance(project=project, actor=ADA, plan_token=token, request=ASKED)
    blocker.refresh_from_db()
    assert (done.task, blocker.priority) == (blocker, Priority.HIGH)
    event = Event.objects.get(task=blocker, verb=Verb.BOOST)
    assert (event.before, event.after, event.actor_name) == ({"priority": 2}, {"priority": 3}, "ada")
    with pytest.raises(Conflict):
        rebalance(project=project, actor=ADA, plan_token=token, request=ASKED)
    assert Event.objects.filter(verb=Verb.BOOST).count() == 1


def test_the_graph_is_locked_before_resources_and_tasks(
    project: Project, blocker: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    locks: list[str] = []
    monkeypatch.setattr(dependencies, "lock_graph", lambda _: locks.append("graph"))
    monkeypatch.setattr(holds, "lock_all", lambda _: locks.append("resources"))
    rebalance(project=project, actor=ADA, plan_token=preview_of(project, ASKED).plan_token, request=ASKED)
    assert locks[:2] == ["graph", "resources"]


@pytest.mark.parametrize("change", ["claimed", "boosted", "deferred", "another waits"])
def test_after_any_change_to_its_tasks_a_preview_is_not_applied(project: Project, blocker: Task, change: str) -> None:
    token = preview_of(project, ASKED).plan_token
    match change:
        case "claimed":
            claim(task=blocker, actor=Actor.assistant(make_session(project)))
        case "boosted":
            order.boost(task=blocker, actor=ADA, priority=Priority.LOW)
        case "deferred":
            order.defer(task=blocker, actor=ADA, until=timezone.now() + timedelta(days=1))
        case _:
            make_task(project, specialist="tester", is_ready=True, unblocks=9)
    before = Event.objects.count()
    with pytest.raises(Conflict):
        rebalance(project=project, actor=ADA, plan_token=token, request=ASKED)
    assert Event.objects.count() == before


@pytest.mark.parametrize("other", [Request(Horizon.WEEKLY), Request(threshold=2.0), Request(specialist="tester")])
def test_a_token_is_for_the_request_that_was_previewed(project: Project, blocker: Task, other: Request) -> None:
    token = preview_of(project, ASKED).plan_token
    with pytest.raises(Conflict):
        rebalance(project=project, actor=ADA, plan_token=token, request=other)


@pytest.mark.parametrize("token", ["", "0" * 16, "x"])
def test_a_made_up_token_does_nothing(project: Project, blocker: Task, token: str) -> None:
    with pytest.raises(Conflict):
        rebalance(project=project, actor=ADA, plan_token=token, request=ASKED)
    assert not Event.objects.filter(task=blocker).exists()


def test_whoever_may_only_read_applies_nothing(project: Project, blocker: Task) -> None:
    token = preview_of(project, ASKED).plan_token
    reader = Actor(kind="person", name="rita", scopes=with_included([Scope.READ]))
    with pytest.raises(Forbidden):
        rebalance(project=project, actor=reader, plan_token=token, request=ASKED)


def test_proposals_of_one_specialist_are_about_its_tasks_alone(project: Project, blocker: Task) -> None:
    assert kinds(preview_of(project, Request(specialist="tester"))) == [Kind.BOOST]
    assert kinds(preview_of(project, Request(specialist="architect"))) == []


def test_where_rebalancing_is_switched_off_nothing_is_proposed(project: Project, blocker: Task) -> None:
    project.settings = {"routing": {"rebalance": "off"}}
    project.save()
    found = preview_of(project, ASKED)
    assert (found.is_off, found.proposals, found.plan_token) == (True, [], "")


def test_no_more_than_a_few_of_a_kind_are_proposed(project: Project) -> None:
    for number in range(10):
        make_task(project, specialist="tester", is_ready=True, unblocks=number)
    assert [each.task.unblocks for each in preview_of(project, ASKED).proposals] == [9, 8, 7]


def test_other_projects_are_left_alone(project: Project) -> None:
    make_task(make_project("other"), specialist="tester", is_ready=True, unblocks=9)
    assert preview_of(project, ASKED).proposals == []
