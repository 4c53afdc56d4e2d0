"""A board with a history that was made through the tools: tasks that were planned, claimed and completed."""

from __future__ import annotations

from tasks.models import Project
from tests.assistants import Assistant


def finish(assistant: Assistant, number: int, specialist: str = "implementer") -> Project:
    """Plan so many tasks for a specialist and complete them all."""
    subtasks = [
        {"title": f"Build part {place}", "description": "Build it.", "specialist_type": specialist}
        for place in range(number)
    ]
    plan = assistant.call("plan_task", description=f"Build it with {specialist}s", subtasks=subtasks)
    for row in plan["subtasks"]:
        assistant.call("execute_subtask", task_id=row["task_id"])
        assistant.call("complete_subtask", task_id=row["task_id"], summary="Done", detailed_work="All of it.")
    return Project.objects.get()
