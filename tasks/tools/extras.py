"""Resources and prompts, for clients that show them. The tools offer all of it too."""

from __future__ import annotations

import json

from artifacts.reports.brief import brief_of
from artifacts.reports.markdown import report
from artifacts.reports.synthesis import synthesis_of
from orchestrator_site.kernel.errors import Invalid
from orchestrator_site.mcp.registry import prompt, resource
from tasks import serializers
from tasks.models import Task
from tasks.selectors import counts
from tasks.selectors.find import ids_beginning, project_of_task, task_by_id
from tasks.selectors.open_plans import open_plans
from tasks.selectors.overview import overview
from tasks.services.caller import Caller
from tasks.tools import loop


@resource(
    "project://status",
    name="project-status",
    title="Project status",
    description="The project's status: counts, what is in progress, what waits for a person.",
    mime_type="application/json",
)
def project_status(caller: Caller) -> str:
    session = caller.session()
    seen = overview(session.project, session)
    facts = {"project": session.project.name, "progress": counts.progress(seen.counts), **loop.standing(seen)}
    return json.dumps(facts, ensure_ascii=False, indent=1)


@resource(
    "task://{id}",
    name="task",
    title="Task",
    description="A task's working brief, or a plan's report, as Markdown.",
    mime_type="text/markdown",
    complete=lambda caller, name, typed, chosen: ids_beginning(caller.project(), typed),
    project_of=lambda caller, id: _task(caller, id).project,
)
def task_text(caller: Caller, id: str) -> str:
    task = _task(caller, id)
    return brief_of(task).text if task.is_leaf else report(synthesis_of(task), full=True)[0]


def _task(caller: Caller, id: str) -> Task:
    return task_by_id(caller.reach(lambda: project_of_task(id)), id)


@prompt(
    "plan",
    title="Plan a job",
    description="Break a job into subtasks for specialists and begin.",
    arguments=[("goal", "What to achieve", True)],
)
def plan_prompt(caller: Caller, goal: str) -> str:
    return (
        "Use the task orchestrator for this job. First call orchestrator_initialize_session. Then break the job into "
        "subtasks, each for one specialist, with dependencies, and send them in one orchestrator_plan_task. Then do "
        "each with orchestrator_execute_subtask and orchestrator_complete_subtask, and put the parts together with "
        f"orchestrator_synthesize_results.\n\nThe job:\n{goal}"
    )


@prompt("resume", title="Resume", description="Read the status and continue.")
def resume_prompt(caller: Caller) -> str:
    try:
        plans = serializers.open_plans(open_plans(caller.project())).get("open_plans")
    except Invalid:  # the call that the prompt asks for will name the project
        plans = None
    return (
        "Call orchestrator_initialize_session and read the status. Continue with what is in progress, then with what "
        "needs revision, then with the next ready task, using orchestrator_execute_subtask. Read earlier results with "
        "orchestrator_read_artifact instead of doing them again, and put a finished plan together with "
        "orchestrator_synthesize_results."
    ) + (f"\n\nThe open plans, as data:\n{json.dumps(plans, ensure_ascii=False)}" if plans else "")
