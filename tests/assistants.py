"""An assistant in front of the tools, without a wire between them."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models.options import Options

import artifacts.tools.deliver
import maintenance.tools
import orchestrator_site.tools  # noqa: F401 -- the same
import tasks.agents.tools
import tasks.insights.tools
import tasks.library.tools
import tasks.tools  # noqa: F401 -- registers the tools
from artifacts.models import Artifact, ArtifactVersion, Content, Upload
from orchestrator_site.kernel.identity import Principal
from orchestrator_site.mcp import dispatch, registry
from tasks.models import Dependency, Event, IdempotencyKey, Project, Task
from tasks.services.caller import Caller

_serial = itertools.count(1)
assert artifacts.tools and maintenance.tools
_TABLES = [
    model._meta
    for model in (Project, Task, Dependency, Event, IdempotencyKey, Artifact, ArtifactVersion, Content, Upload)
]


class Assistant:
    """One connection, standing in a folder."""

    def __init__(self, folder: Path) -> None:
        self.caller = Caller(
            Principal("ada"), f"connection-of-a-test-{next(_serial)}", "claude-code", "2.1", {}, str(folder)
        )
        self.folder = folder

    def send(self, name: str, /, **arguments: Any) -> dispatch.Outcome:
        """Call a tool and return what comes of it."""
        (tool,) = [each for each in registry.tools(["all"]) if each.name == f"orchestrator_{name}"]
        return dispatch.run(tool, arguments, self.caller)

    def call(self, name: str, /, **arguments: Any) -> dict[str, Any]:
        """Call a tool that must answer, and return the answer."""
        outcome = self.send(name, **arguments)
        assert not outcome.is_error, outcome.payload
        return outcome.payload

    def refused(self, name: str, /, **arguments: Any) -> dict[str, Any]:
        """Call a tool that must refuse and change nothing, and return the rejection."""
        before = everything()
        outcome = self.send(name, **arguments)
        assert outcome.is_error, outcome.payload
        assert everything() == before
        return outcome.payload

    def plan(self, *titles: str, **more: Any) -> dict[str, str]:
        """Plan subtasks that wait for nothing; returns their ids by title, and the plan's as `plan`."""
        subtasks = [subtask(title) for title in titles]
        made = self.call("plan_task", description="A job", subtasks=subtasks, **more)
        return {row["title"]: row["task_id"] for row in made["subtasks"]} | {"plan": made["parent_task_id"]}

    def complete(self, task_id: str, **more: Any) -> dict[str, Any]:
        """Complete a task with some work."""
        return self.call("complete_subtask", **{**completion(task_id), **more})


def subtask(title: str, **more: Any) -> dict[str, Any]:
    """A subtask as a plan asks for it."""
    return {"title": title, "description": f"Do {title}", "specialist_type": "implementer", **more}


def completion(task_id: str) -> dict[str, Any]:
    """The arguments of a completion."""
    return {"task_id": task_id, "summary": "Done", "detailed_work": "The work", "next_action": "complete"}


def everything() -> str:
    """What the tools may change, as one text to compare: a refused call leaves it as it was."""
    with connection.cursor() as cursor:
        return repr([_rows(cursor, table) for table in _TABLES])


def _rows(cursor: CursorWrapper, table: Options[Any]) -> list[tuple[Any, ...]]:
    """Read all of a table, in a tenth of the time that a queryset takes."""
    cursor.execute(f'SELECT * FROM "{table.db_table}" ORDER BY "{table.pk.column}"')
    return cursor.fetchall()
