"""Tools, resources and a prompt that block, die, print and fail on request."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from orchestrator_site.kernel.errors import NotFound
from orchestrator_site.mcp import registry
from tasks.services.caller import Caller
from tests.mcp.trial import CRASH

DEADLINE_SECONDS = 30


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")
    text: str = ""
    folder: str = ""
    idempotency_key: str | None = None


def _tool(name: str, **options: Any) -> Any:
    return registry.tool(name, title=name, description=f"Trial: {name}.", arguments=Arguments, **options)


@_tool("trial_echo", read_only=True)
def echo(caller: Caller, arguments: Arguments) -> dict[str, Any]:
    return {"text": arguments.text, "pid": os.getpid(), **who(caller)}


def who(caller: Caller) -> dict[str, Any]:
    return {
        "connection_id": caller.connection_id,
        "client": f"{caller.client_name} {caller.client_version}",
        "environ": caller.environ,
        "directory": caller.working_directory,
    }


@_tool("trial_print")
def prints(caller: Caller, arguments: Arguments) -> dict[str, Any]:
    print(f"stray: {arguments.text}")
    os.write(1, b"stray: on the descriptor\n")
    return {"printed": True}


@_tool("trial_block")
@_tool("trial_block_long", is_long=True)
def block(caller: Caller, arguments: Arguments) -> dict[str, Any]:
    """Say that it runs, then wait until it is released."""
    folder = Path(arguments.folder)
    (folder / f"started-{os.getpid()}").touch()
    end = time.monotonic() + DEADLINE_SECONDS
    while not (folder / "release").exists() and time.monotonic() < end:
        time.sleep(0.01)
    (folder / f"done-{os.getpid()}").touch()
    return {"released": True, "pid": os.getpid()}


@_tool("trial_session")
def session(caller: Caller, arguments: Arguments) -> dict[str, Any]:
    return {"session": caller.open(arguments.folder)[0].public_id}


@_tool("trial_fail")
def fail(caller: Caller, arguments: Arguments) -> dict[str, Any]:
    raise NotFound("There is none.", next="Look elsewhere.")


@_tool("trial_crash")
def crash(caller: Caller, arguments: Arguments) -> dict[str, Any]:
    raise RuntimeError(CRASH)


def crash_while_completing(caller: Caller, name: str, typed: str, chosen: dict[str, str]) -> list[str]:
    raise RuntimeError(CRASH)


@registry.resource(
    "trial://crash/{id}",
    name="crash",
    title="Crash",
    description="Fails.",
    mime_type="text/plain",
    complete=crash_while_completing,
)
def crash_when_read(caller: Caller, id: str) -> str:
    raise RuntimeError(CRASH)


@registry.prompt("trial-crash", title="Crash", description="Fails.")
def crash_when_written(caller: Caller) -> str:
    raise RuntimeError(CRASH)


@registry.resource("trial://fact", name="fact", title="A fact", description="Always the same.", mime_type="text/plain")
def fact(caller: Caller) -> str:
    return "a fact"


@registry.resource("trial://row/{id}", name="row", title="A row", description="By id.", mime_type="application/json")
def row(caller: Caller, id: str) -> str:
    if id == "none":
        raise NotFound("There is no such row.")
    return f'{{"id":"{id}"}}'


@registry.resource(
    "trial://fatal/{times}", name="fatal", title="Fatal", description="Kills its reader.", mime_type="text/plain"
)
def fatal(caller: Caller, times: str) -> str:
    """Kill the worker the first few times it is read."""
    marks = Path(os.environ["TRIAL_FOLDER"])
    if len(list(marks.glob("death-*"))) < int(times):
        (marks / f"death-{os.getpid()}").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "survived"


@registry.prompt("trial", title="Trial", description="A trial.", arguments=[("subject", "What about.", True)])
def trial(caller: Caller, subject: str) -> str:
    return f"Try {subject}."
