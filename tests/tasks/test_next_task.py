"""The order in which ready tasks are handed out, and what is said about it."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from orchestrator_site.kernel.errors import NotReady
from tasks import roles
from tasks.choices import Priority, Status
from tasks.identity.actor import Actor
from tasks.models import NEVER, Event, Project, Task
from tasks.selectors.next_task import TIES, next_tasks
from tasks.selectors.overlaps import overlaps_of, shared
from tasks.services import claim as claims
from tasks.services.actions import seen_as
from tasks.services.archive_plans import archive_plans
from tasks.services.claim import claim_next
from tasks.services.complete import complete
from tasks.services.plan import Subtask, plan
from tasks.services.review import request_revision
from tests.assistants import Assistant, subtask
from tests.factories import make_plan, make_project, make_session

pytestmark = pytest.mark.django_db
_number = count(1)


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def claude(project: Project) -> Actor:
    return Actor.assistant(make_session(project, client_name="claude-code", model="Opus"))


def planned(actor: Actor, **needs: tuple[str, ...]) -> dict[str, Task]:
    """Plan leaves by their keys, each with what it waits for, and return them."""
    subtasks = [
        Subtask(title=key, key=key, description="Do it", specialist="tester", dependencies=waits)
        for key, waits in needs.items()
    ]
    made = plan(
        project=actor.project,
        actor=actor,
        catalogue=roles.catalogue(actor.project),
        description=f"Plan {next(_number)}",
        subtasks=subtasks,
    )
    return dict(zip(made.keys, made.tasks, strict=True))


def change(task: Task, **columns: Any) -> None:
    Task.objects.filter(pk=task.pk).update(**columns)


def in_order(actor: Actor) -> list[Task]:
    """Claim until nothing is ready."""
    found = []
    while next_tasks(actor.project, actor.session):
        [first, *_] = next_tasks(actor.project, actor.session)
        found.append(claim_next(project=actor.project, actor=actor).task)
        assert first.task == found[-1]
    return found


def codes(actor: Actor) -> list[list[str]]:
    found = next_tasks(actor.project, actor.session, limit=9)
    return [[reason.code for reason in each.reasons] for each in found]


def test_the_longest_chain_comes_first_then_what_unblocks_most_then_age(claude: Actor) -> None:
    tasks = planned(claude, old=(), young=(), wide=(), x=("wide",), y=("wide",), long=(), p=("long",), q=("p",))
    assert in_order(claude) == [tasks["long"], tasks["wide"], tasks["old"], tasks["young"]]


def test_due_dates_come_before_chains_what_was_sent_back_before_due_dates_and_priorities_first(claude: Actor) -> None:
    tasks = planned(claude, plain=(), chain=(), after=("chain",), due=(), sooner=(), back=(), urgent=())
    soon = timezone.now() + timedelta(days=2)
    change(tasks["due"], due_at=soon + timedelta(days=1))
    change(tasks["sooner"], due_at=soon)
    change(tasks["back"], status=Status.NEEDS_REVISION, review_comment="Again")
    change(tasks["urgent"], priority=Priority.URGENT)
    named = ["urgent", "back", "sooner", "due", "chain", "plain"]
    assert in_order(claude) == [tasks[name] for name in named]


def test_reasons_say_by_code_why_a_task_comes_next(claude: Actor) -> None:
    tasks = planned(claude, chain=(), after=("chain",), due=(), back=(), urgent=(), plain=())
    change(tasks["due"], due_at=timezone.now() + timedelta(days=2))
    change(tasks["back"], status=Status.NEEDS_REVISION, review_comment="Again")
    change(tasks["urgent"], priority=Priority.URGENT, for_client="claude-code")
    assert codes(claude) == [["priority", "wished"], ["sent_back"], ["due"], ["chain", "unblocks"], []]
    [first] = [each for each in next_tasks(claude.project, limit=9) if each.task == tasks["chain"]]
    assert [text for _, text in first.reasons] == ["chain of 2", "unblocks 1"]


def test_a_session_goes_on_in_the_plan_in_which_it_did_something_last(claude: Actor) -> None:
    older, newer = planned(claude, a=(), b=()), planned(claude, c=(), d=())
    change(older["b"], priority=Priority.LOW)
    complete(task=newer["d"], actor=claude, summary="Done")
    assert codes(claude)[0] == ["same_plan"]
    assert in_order(claude) == [newer["c"], older["a"], older["b"]]


def test_the_last_plan_decides_only_between_tasks_that_are_as_good(claude: Actor) -> None:
    older, newer = planned(claude, a=(), then=("a",)), planned(claude, c=(), d=())
    complete(task=newer["d"], actor=claude, summary="Done")
    assert claim_next(project=claude.project, actor=claude).task == older["a"]


def test_in_the_last_plan_the_task_comes_first_that_changes_the_same_files(claude: Actor) -> None:
    tasks = planned(claude, a=(), b=(), c=())
    change(tasks["a"], paths=["src/api/"])
    change(tasks["c"], paths=["docs", "src/api/*.py"])
    complete(task=Task.objects.get(pk=tasks["a"].pk), actor=claude, summary="Done")
    assert codes(claude)[0] == ["same_plan", "same_paths"]
    assert in_order(claude) == [tasks["c"], tasks["b"]]


def test_the_last_plan_offers_nothing_that_is_for_another_specialist_or_client(claude: Actor) -> None:
    older, newer = planned(claude, a=()), planned(claude, b=(), c=(), d=())
    complete(task=newer["d"], actor=claude, summary="Done")
    change(newer["b"], for_client="codex")
    change(newer["c"], specialist="reviewer")
    assert claim_next(project=claude.project, actor=claude, specialist="tester").task == older["a"]


def test_in_the_last_plan_a_task_is_found_behind_many_that_are_for_others(claude: Actor) -> None:
    older, newer = planned(claude, a=()), planned(claude, done=(), **{f"t{n}": () for n in range(2 * TIES)}, last=())
    Task.objects.filter(title__startswith="t", root=newer["last"].root).update(for_client="codex")
    change(newer["t0"], for_client="", specialist="reviewer")
    complete(task=newer["done"], actor=claude, summary="Done")
    [first, *_] = next_tasks(claude.project, claude.session, specialist="tester")
    assert first.task == newer["last"]
    assert claim_next(project=claude.project, actor=claude, specialist="tester").task == newer["last"]
    assert older["a"].status == Status.PENDING


def test_what_comes_next_is_said_without_changing_anything(claude: Actor) -> None:
    planned(claude, a=(), b=())
    before = list(Task.objects.values()), Event.objects.count()
    assert len(next_tasks(claude.project, claude.session, limit=1)) == 1
    assert len(next_tasks(claude.project, claude.session, specialist="reviewer")) == 0
    assert (list(Task.objects.values()), Event.objects.count()) == before


def test_what_is_sent_back_counts_only_what_still_waits_for_it(claude: Actor) -> None:
    tasks = planned(claude, a=(), b=("a",), c=("b",))
    complete(task=tasks["a"], actor=claude, summary="Done")
    complete(task=tasks["b"], actor=claude, summary="Done")
    request_revision(task=tasks["a"], actor=Actor(kind="person", name="ada"), reason="Again")
    tasks["a"].refresh_from_db()
    assert (tasks["a"].chain, tasks["a"].unblocks) == (1, 0)


def test_archived_plans_are_waited_for_by_no_one_and_wait_for_nothing(claude: Actor) -> None:
    need = planned(claude, a=())["a"]
    waiting = planned(claude, b=(need.public_id,), c=("b",))["b"]
    need.refresh_from_db()
    assert (need.chain, need.unblocks) == (3, 1)
    archived = Task.objects.get(pk=waiting.plan_id)
    archive_plans(project=claude.project, plans={archived.pk: seen_as(archived)}, actor=Actor.system())
    need.refresh_from_db()
    assert (need.chain, need.unblocks) == (1, 0)


def test_whoever_waits_for_a_group_waits_for_each_of_its_leaves(claude: Actor) -> None:
    parts = tuple(Subtask(title=t, description="Do it", specialist="tester") for t in ("one", "two"))
    group = Subtask(title="group", key="group", description="All", subtasks=parts)
    last = Subtask(title="last", description="Do it", specialist="tester", dependencies=("group",))
    made = plan(
        project=claude.project, actor=claude, catalogue=roles.catalogue(claude.project), description="A plan",
        subtasks=[group, last],
    )  # fmt: skip
    reaches = {task.title: (task.chain, task.unblocks) for task in Task.objects.filter(root=made.root).leaves()}
    assert reaches == {"one": (2, 1), "two": (2, 1), "last": (1, 0)}


def test_a_task_without_a_due_date_comes_after_all_that_have_one(project: Project) -> None:
    task = make_plan(project, 1).descendants.get()
    assert (task.due_at, task.due) == (NEVER, None)


@pytest.mark.parametrize(
    ("one", "other", "meets"),
    [
        ("src/a.py", "src/a.py", True),
        ("./src/a.py", "src/a.py", True),
        ("src/a.py", "src/b.py", False),
        ("src", "src/a.py", True),
        ("src/", "src/deep/a.py", True),
        ("src", "srcs/a.py", False),
        ("src/*.py", "src/a.py", True),
        ("*.md", "src/a.py", False),
        (".", "src/a.py", True),
    ],
)
def test_paths_meet_as_files_folders_and_patterns(one: str, other: str, meets: bool) -> None:
    assert bool(shared([one], [other])) == bool(shared([other], [one])) == meets


def test_overlaps_name_who_holds_a_task_that_plans_to_change_the_same(claude: Actor) -> None:
    codex = Actor.assistant(make_session(claude.project, client_name="codex"))
    tasks = planned(claude, a=(), b=(), c=())
    change(tasks["a"], paths=["src/api/a.py", "docs"])
    change(tasks["b"], paths=["src/api"])
    held = claim_next(project=claude.project, actor=codex).task
    assert held == tasks["a"]
    [overlap] = overlaps_of(Task.objects.get(pk=tasks["b"].pk))
    assert (overlap.task_id, overlap.holder, overlap.paths) == (held.public_id, "codex", ["src/api"])
    assert [len(each.overlaps) for each in next_tasks(claude.project, claude.session)] == [1, 0]
    assert [len(each.overlaps) for each in next_tasks(claude.project, codex.session)] == [0, 0]
    Task.objects.filter(pk=held.pk).update(lease_expires_at=timezone.now())
    assert overlaps_of(Task.objects.get(pk=tasks["b"].pk)) == []


def test_a_claim_warns_of_overlaps(ada: Assistant, bob: Assistant) -> None:
    ada.call("plan_task", description="A job", subtasks=[subtask("One", file_paths=["src"])])
    ada.call("plan_task", description="A job", subtasks=[subtask("Two", file_paths=["src/a.py"]), subtask("Three")])
    assert "overlaps" not in ada.call("execute_subtask")
    [overlap] = bob.call("execute_subtask")["overlaps"]
    assert overlap["paths"] == ["src/a.py"]
    assert "overlaps" not in bob.call("execute_subtask")


def test_nothing_is_next_on_an_empty_board(claude: Actor) -> None:
    assert next_tasks(claude.project, claude.session) == []
    with pytest.raises(NotReady):
        claim_next(project=claude.project, actor=claude)


@pytest.mark.parametrize("name", ["_best_of_all", "_best_of", "_best_for_one", "_best_for_one_of", "_ties", "_ties_of"])
def test_the_best_ready_task_is_read_in_the_order_of_an_index(name: str, claude: Actor) -> None:
    planned(claude, a=())
    known: dict[str, Any] = {
        "project": claude.project, "now": timezone.now(), "session": claude.session, "client": "a", "model": "b",
        "specialist": "tester", "root": 1, "priority": 1, "status": Status.PENDING, "due_at": NEVER, "chain": 1,
        "unblocks": 0,
    }  # fmt: skip
    query = getattr(claims, name)
    with CaptureQueriesContext(connection) as queries:
        query(**{each: known[each] for each in query.names})
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {'QUERY PLAN ' if connection.vendor == 'sqlite' else ''}{queries[-1]['sql']}")
        plan = " ".join(str(row) for row in cursor.fetchall())
    assert "task_ready" in plan or "task_plan_ready" in plan
    assert "TEMP B-TREE" not in plan
