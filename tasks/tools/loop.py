"""The tools of the loop: initialize, plan, execute and synthesize."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, JsonValue, WithJsonSchema
from pydantic.config import JsonDict

from artifacts.reports.brief import brief_of
from artifacts.reports.markdown import report
from artifacts.reports.synthesis import Synthesis, synthesis_of
from maintenance.selectors.handovers import latest, moved_since
from orchestrator_site.kernel import read_only
from orchestrator_site.kernel.errors import Invalid, invalid
from orchestrator_site.kernel.text import shortened
from orchestrator_site.mcp.registry import LONG, Arguments, tool
from orchestrator_site.mcp.schema import HIDDEN
from tasks import roles, serializers
from tasks.identity.actor import Actor
from tasks.library.services.apply import apply_template
from tasks.models import Project, Session, Task
from tasks.selectors.find import TaskName, task_by_id
from tasks.selectors.overlaps import overlaps_of
from tasks.selectors.overview import Overview, overview
from tasks.selectors.related_boards import boards_in_doubt
from tasks.services import resources, sessions
from tasks.services.caller import Caller
from tasks.services.claim import Claim, claim, claim_next
from tasks.services.idempotency import run_once
from tasks.services.plan import Plan, plan

Answer = dict[str, Any]
Level = Literal["simple", "moderate", "complex", "very_complex"]
Urgency = Literal["low", "normal", "high", "urgent"]

LOOP = (
    "plan_task once; then execute_subtask (claims the best ready task, returns its brief), do it, complete_subtask "
    "with the complete result in detailed_work; repeat until nothing is ready; synthesize_results."
)
READ_ONLY = (
    f"{read_only.WHY} Tools that read go on; all others are transient until another version has upgraded it. Ask the "
    "person who runs the server to look at manage.py doctor."
)
SPECIALISTS_SHOWN = 20
PROBLEMS_SHOWN = 5


class InitializeSession(Arguments):
    project_dir: str | None = Field(None, description="Absolute path; default: where the client runs")
    new_session: bool = Field(False, description="Of a subagent's own")
    model: str | None = Field(None, json_schema_extra={HIDDEN: True})
    idempotency_key: str | None = Field(None, json_schema_extra={HIDDEN: True})


@tool(
    "orchestrator_initialize_session",
    title="Initialize session",
    description="Start here, also after a context reset: the project's status and what to do next.",
    arguments=InitializeSession,
    in_runs=True,
    scope="read",
    idempotent=True,
)
def initialize_session(caller: Caller, given: InitializeSession) -> Answer:
    """Open or resume the session; a replay returns the status of the first call."""
    session, fresh = caller.open(given.project_dir, key=given.idempotency_key, is_own=given.new_session)
    if given.model:
        sessions.declare_model(session, given.model)
    is_found = bool(caller.connection_id) and not given.new_session
    return run_once(
        project=session.project,
        operation=f"initialize_session {session.public_id}",  # sessions are not shared
        key=given.idempotency_key if session.pk else None,
        request=given.model_dump(exclude={"idempotency_key"}),
        produce=lambda: _welcome(session, fresh, is_found=is_found, is_unbound=caller.principal.project_id is None),
    )


def _welcome(session: Session, fresh: bool, *, is_found: bool, is_unbound: bool) -> Answer:
    seen = overview(session.project, session)
    catalogue = roles.catalogue(session.project)
    return {
        "session_id": session.public_id or None,
        "project": {"slug": session.project.slug, "name": shortened(session.project.name, 40)},
        "resumed": None if fresh else True,
        "loop": LOOP,
        "specialists": sorted(catalogue.roles)[:SPECIALISTS_SHOWN],
        "role_problems": [shortened(problem, serializers.LINE_LENGTH) for problem in catalogue.problems[:2]],
        **standing(seen),
        "handover": _handover(session.project),
        "note": _doubt(session) if is_unbound and not seen.counts else None,
        "next": READ_ONLY if read_only.is_on() else serializers.next_step(seen) + _whose(fresh, is_found),
    }


def _handover(project: Project) -> Answer | None:
    """Point to the newest handover, and say how far the board has moved since."""
    newest = latest(project)
    if newest is None:
        return None
    return {"number": newest.number, "events_since": moved_since(newest), "read": f"handover://{project.slug}"}


def _whose(fresh: bool, is_found: bool) -> str:
    if not is_found:
        return " Send session_id with every call."
    return "" if fresh else " Another worker on this connection calls with new_session=true."


def _doubt(session: Session) -> str | None:
    """Say which board the user may mean instead of an empty one; None where there is no such board."""
    boards = boards_in_doubt(session.project)
    if not boards:
        return None
    exists = "; ".join(
        f"a board with {board.open_plans} open plan{'s' * (board.open_plans != 1)} exists for "
        f"{shortened(board.name, 40)!r} ({board.slug})"
        for board in boards
    )
    return (
        f"This board is empty, but {exists}. If that is this project, ask the user to give it this folder, in its "
        f"settings or with: manage.py project {boards[0].slug} --add DIR. Then initialize with project_dir."
    )


def standing(seen: Overview) -> Answer:
    return {
        "counts": seen.counts,
        **serializers.open_plans(seen.plans),
        "in_progress": serializers.within(seen.active, serializers.in_progress, budget=450),
        "needs_revision": serializers.within(seen.needs_revision.tasks, serializers.stopped, budget=250),
        "needs_revision_total": seen.needs_revision.total or None,
        "waits_for_a_person": serializers.within(seen.waits_for_a_person.tasks, serializers.stopped, budget=300),
        "waits_for_a_person_total": seen.waits_for_a_person.total or None,
        "next_ready": serializers.pointer(seen.next_ready) if seen.next_ready else None,
    }


_TEXT: JsonDict = {"type": "string"}
_REQUIRED: list[JsonValue] = ["title", "description", "specialist_type"]
# Clients fail on references, and some on objects without properties. The server takes any depth and every argument.
_NESTED = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {**dict.fromkeys(_REQUIRED, _TEXT), "dependencies": {"type": "array", "items": _TEXT}},
        "required": _REQUIRED,
    },
}


class SubtaskArguments(Arguments):
    # A group needs no specialist, but none of the vendors' strict modes knows conditions.
    model_config = ConfigDict(json_schema_extra={"required": _REQUIRED})
    aliases: ClassVar[dict[str, str]] = {
        "task_id": "key",
        "id": "key",
        "specialist": "specialist_type",
        "effort": "estimated_effort",
        "due": "due_at",
        "depends_on": "dependencies",
        "complexity": "complexity_level",
    }
    title: str
    description: str = Field("", max_length=LONG)
    specialist_type: str = ""
    key: str = ""
    dependencies: list[str] = Field([], description="Keys, titles or task ids")
    estimated_effort: str = Field("", json_schema_extra={HIDDEN: True})
    priority: Urgency | None = None
    complexity_level: Level | None = Field(None, json_schema_extra={HIDDEN: True})
    context: str = Field("", max_length=LONG)
    review: bool | None = Field(None, description="Needs approval")
    gates: list[str | dict[str, JsonValue]] = Field([], json_schema_extra={HIDDEN: True})
    file_paths: list[str] = Field([], json_schema_extra={HIDDEN: True})
    resources: list[str] = Field([], json_schema_extra={HIDDEN: True})
    due_at: str | None = Field(None, json_schema_extra={HIDDEN: True})
    not_before: str | None = Field(None, json_schema_extra={HIDDEN: True})
    subtasks: Annotated[list[SubtaskArguments], WithJsonSchema(_NESTED)] = []


class PlanTask(Arguments):
    aliases: ClassVar[dict[str, str]] = {
        "subtasks_json": "subtasks",
        "complexity": "complexity_level",
        "parent_id": "parent_task_id",
    }
    # A template brings both, but none of the vendors' strict modes knows conditions.
    model_config = ConfigDict(json_schema_extra={"required": ["description", "subtasks"]})
    description: str = Field("", max_length=LONG)
    subtasks: list[SubtaskArguments] = []
    complexity_level: Level = "moderate"
    context: str | None = Field(None, max_length=LONG)
    parent_task_id: str | None = Field(None, description="Plan below it")
    template: str | None = Field(None, json_schema_extra={HIDDEN: True})
    parameters: dict[str, Any] | None = Field(None, json_schema_extra={HIDDEN: True})
    sha256: str | None = Field(None, json_schema_extra={HIDDEN: True})
    session_id: str | None = None
    idempotency_key: str | None = None


@tool(
    "orchestrator_plan_task",
    title="Plan a job",
    description="Create a plan: a tree of subtasks, all or nothing.",
    arguments=PlanTask,
)
def plan_task(caller: Caller, given: PlanTask) -> Answer:
    actor = caller.actor(given.session_id)
    project = actor.project
    parent = task_by_id(project, given.parent_task_id) if given.parent_task_id else None
    request = serializers.request_of(given)
    return run_once(
        project=project,
        operation="plan_task",
        key=given.idempotency_key,
        request=request,
        produce=lambda: serializers.planned(_made(given, request, actor, parent)),
    )


def _made(given: PlanTask, request: Answer, actor: Actor, parent: Task | None) -> Plan:
    """Plan the subtasks of a call, or those of the template that it names."""
    project = actor.project
    about: Answer = {"complexity": given.complexity_level, "context": given.context or "", "parent": parent}
    if given.template:
        _require_only_template(given)
        return apply_template(
            project=project, actor=actor, name=given.template, parameters=given.parameters or {},
            sha256=given.sha256 or "", description=given.description, **about,
        ).plan  # fmt: skip
    if given.parameters or given.sha256:
        raise invalid([{"at": "template", "problem": "is required with its parameters"}], next="Send it too.")
    return plan(
        project=project,
        actor=actor,
        catalogue=roles.catalogue(project),
        description=given.description,
        subtasks=[serializers.subtask_of(each) for each in request["subtasks"]],
        **about,
    )


def _require_only_template(given: PlanTask) -> None:
    if given.subtasks:
        wrong = {"at": "subtasks", "problem": "is for a plan without a template, which brings its own"}
        raise invalid([wrong], next="Send one of the two; more tasks can be planned below a task with parent_task_id.")


class ExecuteSubtask(Arguments):
    aliases: ClassVar[dict[str, str]] = {"id": "task_id", "specialist": "specialist_type"}
    task_id: str | None = Field(None, description="Default: the best ready task")
    specialist_type: str | None = None
    take_over: bool = Field(False, description="Replace a holder who is gone")
    max_chars: int | None = Field(None, ge=1000, le=200_000, description="Of the brief; default 12000")
    hold_resource: str | None = Field(None, json_schema_extra={HIDDEN: True})
    free_resource: str | None = Field(None, json_schema_extra={HIDDEN: True})
    number: int | None = Field(None, json_schema_extra={HIDDEN: True})
    session_id: str | None = None
    idempotency_key: str | None = Field(None, json_schema_extra={HIDDEN: True})


@tool(
    "orchestrator_execute_subtask",
    title="Execute a subtask",
    description="Claim a task and get its brief: role, plan, reviewer's comment, dependencies, lease.",
    arguments=ExecuteSubtask,
    in_runs=True,
)
def execute_subtask(caller: Caller, given: ExecuteSubtask) -> Answer:
    actor = caller.actor(given.session_id)
    return run_once(
        project=actor.project,
        operation=f"execute_subtask {actor.session_id}",  # nor are leases
        key=given.idempotency_key,
        request=serializers.request_of(given),
        produce=lambda: _of_resource(given, actor) or _executed(_claim(given, actor), given),
    )


def _of_resource(given: ExecuteSubtask, actor: Actor) -> Answer | None:
    """Hold a resource without a task, or give it back; None where the call is about a task. Raises Invalid for both."""
    name = given.hold_resource or given.free_resource
    if not name:
        return None
    if given.task_id or given.specialist_type or (given.hold_resource and given.free_resource):
        raise Invalid("hold_resource, free_resource: one of them, without a task.", next="Send them one by one.")
    if given.free_resource:
        resources.let_go(project=actor.project, actor=actor, name=name, number=given.number)
        return {"resource": name, "free": True}
    made = resources.hold(project=actor.project, actor=actor, name=name, number=given.number)
    expires = made.expires_at
    return {
        "resource": name,
        "number": made.number,
        "lease_expires_at": expires.isoformat(timespec="seconds") if expires else None,
        "next": f"Your calls renew it. Give it back: orchestrator_execute_subtask(free_resource={name!r}).",
    }


def _claim(given: ExecuteSubtask, actor: Actor) -> Claim:
    project = actor.project
    if given.task_id is None and actor.only_task is not None:
        return claim(task=Task.objects.get(pk=actor.only_task), actor=actor)
    if given.task_id is None:
        return claim_next(project=project, actor=actor, specialist=given.specialist_type)
    if not given.specialist_type:
        return claim(task=TaskName(project, given.task_id), actor=actor, take_over=given.take_over)
    task = task_by_id(project, given.task_id)
    if task.specialist != given.specialist_type:
        raise Invalid(
            f"{task.public_id} is for {task.specialist or 'any specialist'}, not {given.specialist_type}.",
            next="Omit specialist_type with a task_id.",
        )
    return claim(task=task, actor=actor, take_over=given.take_over)


def _executed(made: Claim, given: ExecuteSubtask) -> Answer:
    task = made.task
    catalogue = roles.catalogue(task.project)
    brief = brief_of(task, max_chars=given.max_chars, roles=catalogue, is_claimed=True)
    expires = task.lease_expires_at
    return {
        "task_id": task.public_id,
        "renewed": made.renewed or None,
        "took_over": made.took_over or None,
        "lease_number": task.lease_number,
        "lease_expires_at": expires.isoformat(timespec="seconds") if expires else None,
        "brief": brief.text,
        "omitted": brief.omitted,
        "role_problems": catalogue.problems[:PROBLEMS_SHOWN],
        "overlaps": [asdict(each) for each in overlaps_of(task)],
        "repaired": serializers.short_id(given.task_id, task),
        "next": "Do it, then call orchestrator_complete_subtask with task_id, lease_number, a short summary, and the "
        "complete result in detailed_work.",
    }


class SynthesizeResults(Arguments):
    aliases: ClassVar[dict[str, str]] = {"task_id": "parent_task_id"}
    parent_task_id: str
    detail: Literal["brief", "full"] = "brief"
    session_id: str | None = None


@tool(
    "orchestrator_synthesize_results",
    title="Synthesize results",
    description="A plan's report in dependency order: summaries, artifacts, and what is missing.",
    arguments=SynthesizeResults,
    read_only=True,
    idempotent=True,
)
def synthesize_results(caller: Caller, given: SynthesizeResults) -> Answer:
    plan_task = task_by_id(caller.session(given.session_id).project, given.parent_task_id)
    synthesis = synthesis_of(plan_task)
    text, left_out = report(synthesis, full=given.detail == "full")
    return {
        "complete": synthesis.complete,
        "counts": synthesis.counts,
        "report": text,
        "parts_not_shown": left_out or None,
        "repaired": serializers.short_id(given.parent_task_id, plan_task),
        "next": _after_synthesis(synthesis, left_out, given.detail),
    }


def _after_synthesis(synthesis: Synthesis, left_out: int, detail: str) -> str:
    if left_out and detail == "brief":
        return "Send detail='full' for more, or synthesize a group of the plan."
    if synthesis.complete:
        return "Read what you need with orchestrator_read_artifact, and put the parts together."
    if not synthesis.open:
        return "Every part was cancelled."
    if any(part.task.is_ready for part in synthesis.open):
        return "Parts are missing: continue with orchestrator_execute_subtask."
    return "Parts are missing, and nothing is ready: orchestrator_get_status shows why."
