"""The tools get_status and update_task."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field
from pydantic.config import JsonDict

from artifacts.selectors.artifacts import ArtifactSummary, artifacts_by_task
from maintenance.selectors.runs import OPERATION_PREFIX, operation_by_id, progress_of
from orchestrator_site.kernel.errors import Conflict, Invalid, NotFound, invalid
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.kernel.limits import TEXT_LIMIT
from orchestrator_site.kernel.text import shortened, within_bytes
from orchestrator_site.mcp.registry import LONG, Arguments, tool
from orchestrator_site.mcp.schema import HIDDEN
from tasks import serializers
from tasks.choices import Status, Verb
from tasks.identity.actor import Actor
from tasks.models import Project, Task
from tasks.selectors import counts, pages
from tasks.selectors.blockers import edges_of
from tasks.selectors.descendants import descendants_of
from tasks.selectors.find import id_of, task_by_id
from tasks.selectors.gates import gates_on
from tasks.selectors.open_plans import open_plans
from tasks.selectors.pages import Page
from tasks.selectors.resources import Need, needs_of
from tasks.services.actions import ACTIONS, update, worded
from tasks.services.caller import Caller
from tasks.services.edit import Changes
from tasks.services.effect import Effect
from tasks.services.holds import facts_of
from tasks.services.idempotency import run_once
from tasks.services.waive import waive
from tasks.state_machine import LIFECYCLE, TABLE, UNFINISHED, possible_for

Answer = dict[str, Any]
if TYPE_CHECKING:
    ActionWord = str
else:  # execute_subtask claims; the toolset maintenance archives and restores
    ActionWord = Literal[tuple(verb.value for verb in ACTIONS if verb not in (Verb.CLAIM, *LIFECYCLE))]
StatusWord = Literal["pending", "active", "in_review", "needs_revision", "blocked", "failed", "completed", "cancelled"]
ROWS_DEFAULT = 10
ROWS_LIMIT = 100
EDGES_DEFAULT = 5
GATES_SHOWN = 10
HOLDERS_SHOWN = 2
TEXT_BYTES = 200
FULL_BUDGET = 200_000
BELOW_LIMIT = 30_000  # about as many values as SQLite takes in one query; no group is near it


class GetStatus(Arguments):
    aliases: ClassVar[dict[str, str]] = {"parent_task_id": "task_id", "id": "task_id", "specialist": "specialist_type"}
    task_id: str | None = Field(None, description="Default: the project")
    status: StatusWord | None = None
    specialist_type: str | None = None
    include_completed: bool = False
    limit: int = Field(ROWS_DEFAULT, ge=1, le=ROWS_LIMIT)
    cursor: str | None = None
    detail: Literal["brief", "full"] = "brief"
    session_id: str | None = None


@tool(
    "orchestrator_get_status",
    title="Get status",
    description="Counts, and what needs attention first: of the project, a plan or a task.",
    arguments=GetStatus,
    read_only=True,
    idempotent=True,
)
def get_status(caller: Caller, given: GetStatus) -> Answer:
    project = caller.session(given.session_id).project
    if given.task_id is None:
        return _of_project(project, given)
    if given.task_id.startswith(OPERATION_PREFIX):
        return progress_of(operation_by_id(project, given.task_id))
    task = task_by_id(project, given.task_id)
    answer = _of_task(task, full=given.detail == "full") if task.is_leaf else _of_plan(task, given)
    return {**answer, "repaired": serializers.short_id(given.task_id, task)}


def _of_project(project: Project, given: GetStatus) -> Answer:
    by_status = counts.of_project(project, specialist=given.specialist_type)
    shown = [given.status] if given.status else Status.values if given.include_completed else UNFINISHED
    wanted = [status for status in by_status if status in shown]
    page = pages.by_attention(
        project,
        specialist=given.specialist_type,
        statuses=wanted,
        after=given.cursor,
        limit=given.limit + 1,
        full=given.detail == "full",
    )
    total = sum(by_status[status] for status in wanted)
    plans = serializers.open_plans(open_plans(project)) if given.cursor is None else {}
    return {"counts": by_status, "total": total, **plans, **_page(page, given, taken=serializers.size_of(plans))}


def _of_plan(plan: Task, given: GetStatus) -> Answer:
    tree = Task.objects.within(plan).beside(plan)
    if not plan.is_plan:
        tree = tree.filter(pk__in=sorted(descendants_of([plan.pk]))[:BELOW_LIMIT])
    if given.status is not None:
        tree = tree.filter(status=given.status)
    if given.specialist_type is not None:
        tree = tree.filter(specialist=given.specialist_type)
    page = pages.in_tree_order(tree, after=given.cursor, limit=given.limit + 1)
    done = serializers.progress(plan)
    return {
        "task_id": plan.public_id,
        "title": shortened(plan.title, serializers.TITLE_LENGTH),
        **done,
        "archived_at": _time(plan.archived_at),
        "parent_task_id": plan.parent.public_id if plan.parent else None,
        "total": tree.count(),
        **_page(page, given, base_depth=plan.depth),
    }


def _page(page: Page, given: GetStatus, *, base_depth: int | None = None, taken: int = 0) -> Answer:
    full = given.detail == "full"

    def shape(task: Task) -> Answer:
        facts = _full_row(task) if full else serializers.row(task)
        if base_depth is not None and task.depth > base_depth + 1:
            facts["depth"] = task.depth - base_depth
        return facts

    shown = page.tasks[: given.limit]
    rows = serializers.within(shown, shape, budget=FULL_BUDGET if full else serializers.BUDGET - taken)
    more = len(rows) < len(page.tasks)
    return {
        "tasks": rows,
        "cursor": page.cursor_after(shown[len(rows) - 1]) if more and rows else None,
        "next": "Send the cursor for more rows." if more else None,
    }


def _full_row(task: Task, *, text_limit: int = TEXT_BYTES) -> Answer:
    return {
        **serializers.row(task),
        "title": within_bytes(task.title, text_limit),
        "description": within_bytes(task.description, text_limit),
        "summary": within_bytes(task.summary, text_limit) or None,
        "reason": within_bytes(serializers.why_stopped(task), text_limit) or None,
        "priority": task.priority_word,
        "updated_at": task.updated_at.isoformat(timespec="seconds"),
        "completed_at": _time(task.completed_at),
    }


def _of_task(task: Task, *, full: bool) -> Answer:
    artifacts = artifacts_by_task([task]).get(task.pk, []) if task.summary else []
    shown = ROWS_LIMIT if full else EDGES_DEFAULT
    needs, dependents = edges_of(task)
    resources = [_resource(need) for need in needs_of(task)]
    return {
        **_full_row(task, text_limit=4 * TEXT_LIMIT if full else TEXT_BYTES),
        "parent_task_id": id_of(task.parent_id),
        "lease_expires_at": _time(task.lease_expires_at),
        "archived_at": _time(task.archived_at),
        **_counted("waits_for", [_named(*each) for each in needs], shown),
        **(_counted("resources", resources, shown) if resources else {}),
        "gates_unmet": [state.gate.name for state in gates_on(task) if not state.met][:GATES_SHOWN],
        **_counted("needed_by", [_named(*each) for each in dependents], shown),
        **_counted("artifacts", list(map(_sized, artifacts)), shown),
        "next": _next_for(task),
    }


def _resource(need: Need) -> Answer:
    """Say whether a task has a resource, or could take it now, and else who holds it."""
    if need.own is not None:
        return {"name": need.resource.name, "number": need.own.number}
    held_by = [] if need.is_free else [facts_of(use) for use in need.others[:HOLDERS_SHOWN]]
    return {"name": need.resource.name, "free": need.is_free, **({"held_by": held_by} if held_by else {})}


def _time(at: datetime | None) -> str | None:
    return at.isoformat(timespec="seconds") if at else None


def _sized(work: ArtifactSummary) -> Answer:
    size = {"size_bytes": work.size_bytes} if work.size_chars is None else {"size_chars": work.size_chars}
    return {"artifact_id": work.artifact_id, **size}


def _counted(name: str, rows: list[Answer], shown: int) -> Answer:
    return {name: rows[:shown], f"{name}_total": len(rows) if len(rows) > shown else None}


def _next_for(task: Task) -> str | None:
    if task.archived_at is not None:
        return "It is archived: restore it before anything else."
    if task.is_ready:
        return f"Ready: orchestrator_execute_subtask(task_id={task.public_id!r})."
    possible = [verb for verb in possible_for(task) if verb not in ("claim", "complete")]
    return f"orchestrator_update_task can {', '.join(possible)} it." if possible else None


def _edge(task: Task) -> Answer:
    return _named(task.public_id, task.status)


def _named(public_id: str, status: str) -> Answer:
    return {"task_id": public_id, "status": status}


# What is hidden can be cleared, too.
_LISTED_TO_CLEAR: JsonDict = {"items": {"type": "string", "const": "description"}}


class UpdateTask(Arguments):
    aliases: ClassVar[dict[str, str]] = {
        "id": "task_id",
        "specialist": "specialist_type",
        "comment": "reason",
        "due": "due_at",
        "effort": "estimated_effort",
    }
    task_id: str
    action: ActionWord | None = None
    reason: str | None = Field(None, max_length=LONG, description="Needed for block, fail, request_revision")
    answer: str | None = Field(None, max_length=LONG, description="For unblock, retry")
    title: str | None = None
    description: str | None = Field(None, max_length=LONG)
    specialist_type: str | None = None
    priority: Literal["low", "normal", "high", "urgent"] | None = None
    add_dependencies: list[str] = []
    remove_dependencies: list[str] = []
    clear: list[Literal["description", "due_at", "estimated_effort"]] = Field([], json_schema_extra=_LISTED_TO_CLEAR)
    waive: str | None = Field(None, json_schema_extra={HIDDEN: True})
    resources: list[str] | None = Field(None, json_schema_extra={HIDDEN: True})
    due_at: str | None = Field(None, json_schema_extra={HIDDEN: True})
    estimated_effort: str | None = Field(None, json_schema_extra={HIDDEN: True})
    session_id: str | None = None
    idempotency_key: str | None = Field(None, json_schema_extra={HIDDEN: True})


@tool(
    "orchestrator_update_task",
    title="Update a task",
    description="Edit a task, or act on its status.",
    arguments=UpdateTask,
    in_runs=True,
    scope="read",  # and what the call needs, see `_scopes_of`
    destructive=True,
)
def update_task(caller: Caller, given: UpdateTask) -> Answer:
    for scope in _scopes_of(given):
        caller.principal.require(scope)
    actor = caller.actor(given.session_id)
    project = actor.project
    task = task_by_id(project, given.task_id)
    return run_once(
        project=project,
        operation="update_task",
        key=given.idempotency_key,
        request=given.model_dump(exclude={"idempotency_key", "session_id"}, exclude_unset=True),
        produce=lambda: _updated(task, actor, given),
    )


def _scopes_of(given: UpdateTask) -> set[Scope]:
    """Return the scopes that the action needs and, where anything is edited, that of an edit."""
    of_action = {TABLE[Verb(given.action)].scope} if given.action else {Scope.REVIEW} if given.waive else set()
    sent = given.model_fields_set - {"task_id", "action", "reason", "answer", "waive", "session_id", "idempotency_key"}
    is_edit = "resources" in sent or any(getattr(given, name) for name in sent)
    return of_action | ({Scope.WRITE} if is_edit or not of_action else set())


def _updated(task: Task, actor: Actor, given: UpdateTask) -> Answer:
    if given.waive is not None:
        return _waived(task, actor, given, given.waive)
    sent = given.model_dump(exclude_unset=True)
    if both := [name for name in given.clear if name in sent]:
        raise invalid([{"at": name, "problem": "is both sent and cleared"} for name in both], next="Send one of them.")
    changes = Changes(
        serializers.columns_of(sent | dict.fromkeys(given.clear)),
        _tasks(task.project, given.add_dependencies, "add_dependencies"),
        _tasks(task.project, given.remove_dependencies, "remove_dependencies"),
        given.resources or [] if "resources" in sent else None,
    )
    if not changes and given.action is None:
        raise Invalid("Nothing to change.", next="Send an action, or a field to edit.")
    verb = Verb(given.action) if given.action else None
    effect = update(task=task, actor=actor, changes=changes, verb=verb, **_words(verb, given))
    links = [name for name in ("add_dependencies", "remove_dependencies") if getattr(given, name)]
    links += ["resources"] if changes.resources is not None else []
    return {
        "status": effect.task.status,
        "changed": [*changes.columns, *links],
        **_effects(effect),
        "repaired": serializers.short_id(given.task_id, task),
    }


def _waived(task: Task, actor: Actor, given: UpdateTask, gate: str) -> Answer:
    if others := given.model_fields_set - {"task_id", "waive", "reason", "session_id", "idempotency_key"}:
        raise invalid([{"at": name, "problem": "is not for waive"} for name in sorted(others)], next="Omit these.")
    waive(task=task, actor=actor, gate=gate, reason=given.reason or "")
    return {"status": task.status, "changed": [gate], "repaired": serializers.short_id(given.task_id, task)}


def _words(verb: Verb | None, given: UpdateTask) -> dict[str, str]:
    """Return the words for the verb: an answer may come as the reason, too. Raises Invalid for words it cannot keep."""
    taken = worded(verb, given.reason or "")
    if given.answer and (given.reason or "answer" not in taken):
        raise invalid(
            [{"at": "answer", "problem": "is for unblock and retry, without a reason"}],
            next="Send one text, under its name.",
        )
    return {name: given.answer or words for name, words in taken.items()}


def _tasks(project: Project, sent: list[str], at: str) -> list[Task]:
    found: list[Task] = []
    problems: list[Answer] = []
    for number, public_id in enumerate(sent):
        try:
            found.append(task_by_id(project, public_id))
        except (NotFound, Conflict) as error:
            problems.append({"at": f"{at}[{number}]", "problem": error.message})
    if problems:
        raise invalid(problems, next="Send ids of tasks in this project.")
    return found


def _effects(effect: Effect) -> Answer:
    answer: Answer = {
        "cancelled_total": len(effect.cancelled) or None,
        "reopened_total": len(effect.reopened) or None,
    }
    for name, (shape, following) in _SHOWN.items():
        rows = [shape(task) for task in getattr(effect, name)]
        answer.update(_counted(name, rows, ROWS_DEFAULT))
        if rows:
            answer["next"] = following
    return answer


_SHOWN: dict[str, tuple[Callable[[Task], Answer], str]] = {
    "unblocked": (serializers.pointer, "Call orchestrator_execute_subtask for what is ready now."),
    "built_on_it": (_edge, "Check what was built on it: it may need revision too."),
    "still_waiting": (_edge, "Remove these dependencies or cancel these tasks too; they cannot start as they are."),
}
"""How the other tasks that a verb concerned are shown, and what to do about them."""
