"""Every action at every level in every scope, on one project with something of every kind in it."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.core import serializers
from django.utils import timezone

from artifacts.models import Artifact, Content
from maintenance.choices import Action, Level, ScopeWord
from maintenance.models import Finding, Handover, Operation
from maintenance.services.coordinate import Answer, Request, coordinate
from maintenance.services.undo import undo
from orchestrator_site.kernel.errors import Conflict, Forbidden, Invalid
from orchestrator_site.kernel.identity import Scope as Permission
from tasks.choices import Status, Verb
from tasks.identity.actor import Actor
from tasks.models import Dependency, Event, Project, Session, Task
from tests.factories import make_artifact, make_dependency, make_event, make_plan, make_project, make_session, make_task

pytestmark = pytest.mark.django_db
SCAN, VALIDATE = Action.SCAN_CLEANUP, Action.VALIDATE_STRUCTURE
SESSION, PROJECT, TASK = ScopeWord.CURRENT_SESSION, ScopeWord.FULL_PROJECT, ScopeWord.SPECIFIC_SUBTASK
BASIC, COMPREHENSIVE, FULL = Level


class Board(NamedTuple):
    project: Project
    session: Session
    tasks: dict[str, Task]

    @property
    def actor(self) -> Actor:
        return Actor.assistant(self.session)

    def ask(self, action: Action, scope: ScopeWord = PROJECT, level: Level = BASIC, **fields: Any) -> Answer:
        target = self.tasks["target"] if scope == TASK else None
        request = Request(action=action, scope=scope, level=level, target=target, **fields)
        return coordinate(project=self.project, actor=self.actor, request=request)

    def names(self, answer: Answer) -> list[tuple[str, str]]:
        """Return what was found, each as cause and the name of its task here."""
        return sorted((each.cause.value, self.name(each.subject.split(" ")[0])) for each in answer.findings)

    def name(self, public_id: str) -> str:
        artifacts = Artifact.objects.filter(public_id=public_id).values_list("task__public_id", flat=True)
        known = {task.public_id: name for name, task in self.tasks.items()}
        return known[next(iter(artifacts), public_id)]


@pytest.fixture
def board(tmp_path: Path) -> Board:
    project = make_project(root_path=str(tmp_path))
    session, other = make_session(project), make_session(project)
    tasks: dict[str, Task] = {}
    active: dict[str, Any] = {"status": Status.ACTIVE, "lease_number": 0, "lease_holder": "", "lease_expires_at": None}

    # What the session works on: a lease that is over, and a mark that is wrong.
    tasks["own"] = make_plan(project, 0, title="Send invoices by mail", **active)
    tasks["over"] = make_task(project, parent=tasks["own"], status=Status.ACTIVE, title="Write the sender")
    tasks["mark"] = make_task(project, parent=tasks["own"], title="Print the labels", is_ready=False)
    Task.objects.filter(pk=tasks["over"].pk).update(
        lease_session=other, lease_expires_at=timezone.now() - timedelta(minutes=5), started_at=timezone.now()
    )
    make_event(tasks["over"], Verb.CLAIM, session=session)

    # The target, with a dependency that was cancelled and a dependent that is blocked for long.
    tasks["other"] = make_plan(project, 0, title="Move the archive", **active)
    tasks["cancelled"] = make_task(project, parent=tasks["other"], status=Status.CANCELLED, title="Ask the vendor")
    tasks["target"] = make_task(project, parent=tasks["other"], title="Copy all the files over")
    tasks["blocked"] = make_task(project, parent=tasks["other"], status=Status.BLOCKED, title="Copy all the files back")
    make_dependency(tasks["target"], tasks["cancelled"])
    make_dependency(tasks["blocked"], tasks["target"])
    _aged(tasks["blocked"], days=3)

    tasks["label"] = make_task(project, parent=tasks["own"], title="Print all the parcel labels", is_ready=True)
    tasks["labels"] = make_task(project, parent=tasks["own"], title="Print the parcel labels", is_ready=True)
    _damaged(make_artifact(tasks["mark"], "The labels"))
    Task.objects.filter(pk=tasks["blocked"].pk).update(specialist="magician")
    _damaged(make_artifact(tasks["target"], "The files"))

    # What neither has to do with: a finished plan, a review, a twin of the target, a quiet plan.
    tasks["finished"] = make_task(project, status=Status.COMPLETED, summary="Done.", title="Sort the mail")
    _aged(tasks["finished"], days=100)
    tasks["review"] = make_task(project, status=Status.IN_REVIEW, summary="Done.", title="Draw the logo")
    _aged(tasks["review"], days=2)
    make_artifact(tasks["review"], "The logo")
    tasks["twin"] = make_task(project, title="Copy all the files", is_ready=True)
    tasks["quiet"] = make_task(project, title="Translate the manual", is_ready=True)
    _aged(tasks["quiet"], days=12)
    for name, task in tasks.items():
        task.refresh_from_db()
        tasks[name] = task
    return Board(project, session, tasks)


def _damaged(artifact: Artifact) -> None:
    """Let the row of its content say another size than its bytes have."""
    Content.objects.filter(versions__artifact=artifact).update(size_bytes=1)


def _aged(task: Task, *, days: int) -> None:
    then = timezone.now() - timedelta(days=days)
    times: dict[str, Any] = {"created_at": then, "updated_at": then, "active_at": then}
    if task.status == Status.COMPLETED:
        times["completed_at"] = then
    Task.objects.filter(pk=task.pk).update(**times)


def contents() -> str:
    """Return the hash of every row that a call could change."""
    models = (Task, Dependency, Event, Finding, Operation, Handover, Session, Project)
    rows = serializers.serialize("json", (row for model in models for row in model._base_manager.order_by("pk")))
    return hashlib.sha256(rows.encode()).hexdigest()


def differing(one: dict[str, Any], other: dict[str, Any]) -> set[str]:
    return {key for key in one.keys() | other.keys() if one.get(key) != other.get(key)}


def rows_of(project: Project) -> dict[str, tuple[Any, ...]]:
    columns = ("status", "archived_at", "is_ready", "lease_session_id", "summary", "reason")
    return {row[0]: row[1:] for row in Task.objects.filter(project=project).values_list("public_id", *columns)}


LEASE, TWINS, MARK = ("lease_over", "over"), ("near_duplicate", "label"), ("ready_mark", "mark")
NO_LEASE = ("active_without_lease", "over")
STALE = [("blocked_silent", "blocked"), ("waits_for_stopped", "target")]
QUIET = [("abandoned_plan", "quiet"), ("archivable", "finished")]
ROLE = ("unknown_specialist", "blocked")
OWN_CONTENT, ITS_CONTENT = ("content_damaged", "mark"), ("content_damaged", "target")
FOUND: dict[tuple[Action, ScopeWord, Level], list[tuple[str, str]]] = {
    (SCAN, SESSION, BASIC): [LEASE],
    (SCAN, SESSION, COMPREHENSIVE): [LEASE, TWINS],
    (SCAN, SESSION, FULL): [LEASE, TWINS, NO_LEASE, MARK, OWN_CONTENT],
    (SCAN, PROJECT, BASIC): [LEASE, *STALE, ("review_waits", "review")],
    (SCAN, PROJECT, COMPREHENSIVE): [
        LEASE, *STALE, ("review_waits", "review"), TWINS, ("near_duplicate", "blocked"), *QUIET,
    ],
    (SCAN, PROJECT, FULL): [
        LEASE, *STALE, ("review_waits", "review"), TWINS, ("near_duplicate", "blocked"), *QUIET,
        NO_LEASE, MARK, ROLE, OWN_CONTENT, ITS_CONTENT,
    ],
    (SCAN, TASK, BASIC): STALE,
    (SCAN, TASK, COMPREHENSIVE): [*STALE, ("near_duplicate", "target")],
    (SCAN, TASK, FULL): [*STALE, ("near_duplicate", "target"), ROLE, ITS_CONTENT],
    (VALIDATE, SESSION, BASIC): [NO_LEASE],
    (VALIDATE, SESSION, COMPREHENSIVE): [NO_LEASE, MARK],
    (VALIDATE, SESSION, FULL): [NO_LEASE, MARK, OWN_CONTENT],
    (VALIDATE, PROJECT, BASIC): [NO_LEASE],
    (VALIDATE, PROJECT, COMPREHENSIVE): [NO_LEASE, MARK, ROLE],
    (VALIDATE, PROJECT, FULL): [NO_LEASE, MARK, ROLE, OWN_CONTENT, ITS_CONTENT],
    (VALIDATE, TASK, BASIC): [],
    (VALIDATE, TASK, COMPREHENSIVE): [ROLE],
    (VALIDATE, TASK, FULL): [ROLE, ITS_CONTENT],
}  # fmt: skip
cells = pytest.mark.parametrize(("action", "scope", "level"), list(FOUND))


@cells
def test_each_cell_finds_exactly_this(action: Action, scope: ScopeWord, level: Level, board: Board) -> None:
    assert board.names(board.ask(action, scope, level)) == sorted(FOUND[action, scope, level])


@cells
def test_only_a_basic_scan_changes_something_without_a_preview(
    action: Action, scope: ScopeWord, level: Level, board: Board
) -> None:
    before, rows = contents(), rows_of(board.project)
    answer = board.ask(action, scope, level)
    if (action, level) != (SCAN, BASIC):
        assert (contents(), answer.changes) == (before, [])
        return
    released = ["over"] if LEASE in FOUND[action, scope, level] else []
    assert [(each["verb"], board.name(each["task_id"])) for each in answer.changes] == [
        ("release", n) for n in released
    ]
    assert differing(rows, rows_of(board.project)) == {board.tasks[name].public_id for name in released}


@pytest.mark.parametrize(("action", "scope", "level"), [cell for cell in FOUND if (cell[0], cell[2]) != (SCAN, BASIC)])
def test_apply_does_exactly_what_the_preview_showed(
    action: Action, scope: ScopeWord, level: Level, board: Board
) -> None:
    preview, rows = board.ask(action, scope, level), rows_of(board.project)
    done = board.ask(action, scope, level, apply=True, plan_token=preview.plan_token)
    shown = sorted((each.proposal, board.name(each.subject.split(" ")[0])) for each in preview.proposals)
    assert sorted((each["verb"], board.name(each["task_id"])) for each in done.changes) == shown
    assert not any("conflict" in each for each in done.changes)
    moved = {board.tasks[name].public_id for _, name in shown if (name, action) != ("target", VALIDATE)}
    assert differing(rows, rows_of(board.project)) <= moved
    left = {(each.cause, each.subject) for each in board.ask(action, scope, level).findings}
    assert left.isdisjoint((each.cause, each.subject) for each in preview.proposals)


@pytest.mark.parametrize("level", list(Level))
@pytest.mark.parametrize(("scope", "plans"), [(SESSION, {"own"}), (PROJECT, {"own", "other"}), (TASK, {"other"})])
def test_documents_are_kept_in_step_for_the_scope(
    scope: ScopeWord, plans: set[str], level: Level, board: Board
) -> None:
    before = rows_of(board.project)
    written = set(board.ask(Action.UPDATE_DOCUMENTATION, scope, level).documents["written"])
    of_plans = {f"plans/{board.tasks[name].public_id}.md" for name in plans}
    is_project = scope == PROJECT
    assert ("STATUS.md" in written) == (is_project or level != BASIC)
    assert (of_plans <= written) == (not is_project or level != BASIC)
    assert ("DECISIONS.md" in written) == (level == FULL)
    assert Operation.objects.get().answer["documents"]["written"]
    assert rows_of(board.project) == before
    assert board.ask(Action.UPDATE_DOCUMENTATION, scope, level).documents["written"] == []


@pytest.mark.parametrize("level", list(Level))
@pytest.mark.parametrize(("scope", "named"), [(SESSION, {"own"}), (PROJECT, {"own", "other"}), (TASK, {"other"})])
def test_a_handover_tells_what_is_in_its_scope(scope: ScopeWord, named: set[str], level: Level, board: Board) -> None:
    before = rows_of(board.project)
    made = board.ask(Action.PREPARE_HANDOVER, scope, level).handover
    assert made is not None and (made.scope, made.level) == (scope, level)
    assert {name for name in ("own", "other") if board.tasks[name].public_id in made.text} == named
    assert rows_of(board.project) == before


def test_what_changed_since_the_preview_is_a_conflict(board: Board) -> None:
    preview = board.ask(SCAN, PROJECT, COMPREHENSIVE)
    make_event(board.tasks["finished"], Verb.COMMENT)
    with pytest.raises(Conflict) as caught:
        board.ask(SCAN, PROJECT, COMPREHENSIVE, apply=True, plan_token=preview.plan_token)
    assert caught.value.details["plan_token"] != preview.plan_token
    assert Task.objects.get(pk=board.tasks["finished"].pk).archived_at is None


def test_what_changed_elsewhere_is_none(board: Board) -> None:
    preview = board.ask(SCAN, PROJECT, COMPREHENSIVE)
    make_event(board.tasks["quiet"], Verb.COMMENT)
    board.ask(SCAN, PROJECT, COMPREHENSIVE, apply=True, plan_token=preview.plan_token)
    assert Task.objects.get(pk=board.tasks["finished"].pk).archived_at is not None


def test_a_token_is_for_its_own_call(board: Board) -> None:
    preview = board.ask(SCAN, PROJECT, COMPREHENSIVE)
    with pytest.raises(Conflict):
        board.ask(SCAN, PROJECT, FULL, apply=True, plan_token=preview.plan_token)


def test_to_apply_without_a_preview_is_invalid(board: Board) -> None:
    with pytest.raises(Invalid) as caught:
        board.ask(Action.ARCHIVE, apply=True)
    assert [each["at"] for each in caught.value.details["problems"]] == ["plan_token"]


@pytest.mark.parametrize(
    ("fields", "at"),
    [({"action": SCAN, "scope": TASK}, "target_task_id"),
     ({"action": Action.PREPARE_HANDOVER, "task_ids": ("x",)}, "task_ids"),
     ({"action": Action.ARCHIVE, "scope": PROJECT, "task_ids": ("x",)}, "task_ids")],
)  # fmt: skip
def test_arguments_that_do_not_fit_are_named(fields: dict[str, Any], at: str, board: Board) -> None:
    with pytest.raises(Invalid) as caught:
        coordinate(project=board.project, actor=board.actor, request=Request(**fields))
    assert [each["at"] for each in caught.value.details["problems"]] == [at]


def test_a_person_has_no_session_of_its_own(board: Board) -> None:
    with pytest.raises(Invalid):
        coordinate(project=board.project, actor=Actor("person", "grace"), request=Request(action=SCAN))


def test_readers_preview_and_do_not_apply(board: Board) -> None:
    reader = Actor.assistant(board.session, frozenset({Permission.READ}))
    preview = Request(action=SCAN, scope=PROJECT, level=COMPREHENSIVE)
    assert coordinate(project=board.project, actor=reader, request=preview).plan_token
    for asked in (Request(action=SCAN, scope=PROJECT), Request(action=Action.PREPARE_HANDOVER, scope=PROJECT)):
        with pytest.raises(Forbidden):
            coordinate(project=board.project, actor=reader, request=asked)


def test_what_was_archived_is_restored_by_its_undo(board: Board) -> None:
    before, ids = rows_of(board.project), (board.tasks["finished"].public_id,)
    preview = board.ask(Action.ARCHIVE, task_ids=ids)
    done = board.ask(Action.ARCHIVE, task_ids=ids, apply=True, plan_token=preview.plan_token)
    assert done.operation is not None
    undo(operation=done.operation, actor=board.actor)
    assert rows_of(board.project) == before
    with pytest.raises(Conflict):
        undo(operation=Operation.objects.get(pk=done.operation.pk), actor=board.actor)


def test_a_plan_with_a_held_task_is_left_alone_and_named(board: Board) -> None:
    held = make_task(
        board.project, parent=make_plan(board.project, 0), status=Status.ACTIVE,
        lease_expires_at=timezone.now() + timedelta(hours=1), lease_holder="ada",
    )  # fmt: skip
    before, ids = rows_of(board.project), (held.root.public_id,)
    done = board.ask(
        Action.ARCHIVE, task_ids=ids, apply=True, plan_token=board.ask(Action.ARCHIVE, task_ids=ids).plan_token
    )
    assert [("conflict" in change, change["task_id"]) for change in done.changes] == [(True, ids[0])]
    assert rows_of(board.project) == before


def test_an_archived_plan_is_restored_by_a_call(board: Board) -> None:
    before = rows_of(board.project)
    for action in (Action.ARCHIVE, Action.RESTORE):
        token = board.ask(action).plan_token
        assert len(board.ask(action, apply=True, plan_token=token).changes) == 1
    assert rows_of(board.project) == before


def test_a_scan_keeps_what_it_found_until_it_is_gone(board: Board) -> None:
    board.ask(SCAN, PROJECT)
    assert set(Finding.objects.open().values_list("cause", flat=True)) == {
        "blocked_silent", "review_waits", "waits_for_stopped"
    }  # fmt: skip
    Task.objects.filter(pk=board.tasks["review"].pk).update(status=Status.COMPLETED, completed_at=timezone.now())
    board.ask(SCAN, PROJECT)
    assert set(Finding.objects.open().values_list("cause", flat=True)) == {"blocked_silent", "waits_for_stopped"}
    assert Finding.objects.filter(cause="review_waits", resolved_at__isnull=False).count() == 1
