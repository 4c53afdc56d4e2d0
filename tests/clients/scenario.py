"""The job that every client does: a plan of three parts, each claimed and delivered in whole, then put together."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests.clients.model.script import Json

WORK_CHARACTERS = 12_534
PROMPT = "Plan the guide, write all its parts, and put them together."
DESCRIPTION = "Write a guide to the shop"
TITLES = {"survey": "Survey the shop", "design": "Design the guide", "guide": "Write the guide"}
NEEDS = {"survey": [], "design": ["survey"], "guide": ["survey", "design"]}
SPECIALISTS = {"survey": "researcher", "design": "architect", "guide": "documenter"}
TOOLS = (
    "orchestrator_initialize_session",
    "orchestrator_plan_task",
    "orchestrator_execute_subtask",
    *("orchestrator_execute_subtask", "orchestrator_complete_subtask") * len(TITLES),
    "orchestrator_read_artifact",
    "orchestrator_synthesize_results",
)
"""Every call, in the order in which the script makes them."""


def work(key: str) -> str:
    """Return a delivery of an exact length, full of what JSON, shells and encodings spoil most easily."""
    line = f'{key}: "quoted" \\n no break, `$HOME` no variable; <b>&amp;</b> — ½ größer, 日本語, 🧭\r\n\t| a | b |\n'
    return (f"# {TITLES[key]}\n\n" + line * WORK_CHARACTERS)[: WORK_CHARACTERS - 3] + "end"


def sha256(key: str) -> str:
    """Return the hash of the work on a part."""
    return hashlib.sha256(work(key).encode()).hexdigest()


def script(project: Path) -> list[Json]:
    """Return the model's turns. It claims the last part first, and is refused."""
    return [
        _call("initialize_session", project_dir=str(project)),
        _call("plan_task", description=DESCRIPTION, subtasks=[_subtask(key) for key in TITLES]),
        _call("execute_subtask", task_id="{{plan_task.subtasks.2.task_id}}"),
        *(turn for key in TITLES for turn in _part(key)),
        _call("read_artifact", artifact_id="{{complete_subtask.artifact_info.artifact_id}}"),
        _call("synthesize_results", parent_task_id="{{plan_task.parent_task_id}}"),
        {"text": "{{plan_task.parent_task_id}}: {{last.counts.completed}} parts are completed."},
    ]


def _subtask(key: str) -> Json:
    return {
        "key": key,
        "title": TITLES[key],
        "description": f"{TITLES[key]}, with everything that belongs to it.",
        "specialist_type": SPECIALISTS[key],
        "dependencies": NEEDS[key],
    }


def _part(key: str) -> list[Json]:
    """Claim the best part that is ready, and deliver it under the lease that the client was given."""
    return [
        _call("execute_subtask"),
        _call(
            "complete_subtask",
            task_id="{{execute_subtask.task_id}}",
            lease_number="{{execute_subtask.lease_number}}",
            summary=f"{TITLES[key]}: done.",
            detailed_work=work(key),
            next_action="complete",
            artifact_type="documentation",
            file_paths=[f"docs/{key}.md"],
        ),
    ]


def _call(tool: str, **arguments: object) -> Json:
    """Return a turn with one call; all but the first name the session that it opened."""
    if tool != "initialize_session":
        arguments["session_id"] = "{{initialize_session.session_id}}"
    return {"text": f"Next: {tool}.", "tool": f"orchestrator_{tool}", "arguments": arguments}
