"""The calls of the sample's assistants: through the tools, counted as every assistant's are."""

from __future__ import annotations

from typing import Any

from orchestrator_site.kernel.errors import Conflict
from orchestrator_site.kernel.identity import Principal
from orchestrator_site.mcp import dispatch, registry
from orchestrator_site.mcp.metering import Meter
from orchestrator_site.mcp.server import load_tools
from tasks.choices import Priority
from tasks.identity.client import Caller
from tasks.models import Project
from tasks.services import sessions
from tasks.services.plan import Subtask

CONNECTION = "sample:"
"""How the connections of the sample's sessions begin; no connection of an assistant is called so."""


class Assistant:
    """One assistant at its connection."""

    def __init__(self, name: str, owner: str, meter: Meter) -> None:
        load_tools()
        self._tools = {tool.name.removeprefix("orchestrator_"): tool for tool in registry.tools(["all"])}
        self._caller = Caller(Principal(owner), connection_id=f"{CONNECTION}{name}", client_name=name)
        self._meter = meter

    def comes(self, project: Project, version: str) -> None:
        """Open a session. The project has no folder that a tool could find it by, so the service opens it."""
        caller = self._caller
        sessions.open_session(
            project=project,
            principal=caller.principal,
            connection_id=caller.connection_id,
            client_name=caller.client_name,
            client_version=version,
        )
        self.call("initialize_session")

    def goes(self) -> None:
        """End the connection."""
        sessions.end_connection(self._caller.connection_id)

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool and return its answer. Raises Conflict where the story cannot go on so."""
        outcome = self.tries(tool, **arguments)
        if outcome.is_error:
            raise Conflict(f"The sample cannot be loaded: {outcome.payload.get('message')}", next="Look at the log.")
        return outcome.payload

    def tries(self, tool: str, **arguments: Any) -> dispatch.Outcome:
        """Call a tool, whatever comes of it."""
        return dispatch.run(self._tools[tool], arguments, self._caller, self._meter)


def as_sent(subtask: Subtask) -> dict[str, Any]:
    """Return a subtask as an assistant writes it into a call."""
    said = {
        "title": subtask.title,
        "description": subtask.description,
        "specialist_type": subtask.specialist,
        "key": subtask.key,
        "dependencies": list(subtask.dependencies),
        "estimated_effort": subtask.effort,
        "priority": Priority(subtask.priority).name.lower() if subtask.priority is not None else None,
        "complexity_level": str(subtask.complexity) or None,
        "context": subtask.context,
        "review": subtask.review,
        "subtasks": [as_sent(each) for each in subtask.subtasks],
    }
    return {name: value for name, value in said.items() if value not in (None, "", [])}
