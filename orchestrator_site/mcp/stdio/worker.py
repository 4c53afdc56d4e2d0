"""The worker behind the front: Django, the tools and the SDK, serving one connection over private pipes.

The proxy starts it as `python -m orchestrator_site.mcp.stdio.worker`. Heavy imports wait until stdout is protected.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
from threading import Event, Lock, Timer
from typing import TYPE_CHECKING, Any

from orchestrator_site.kernel.processes import hide_root
from orchestrator_site.mcp.stdio.framing import claim_standard_streams

if TYPE_CHECKING:
    from mcp.server.mcpserver import Context

    from orchestrator_site.kernel.identity import Principal
    from tasks.identity.client import Caller

logger = logging.getLogger(__name__)

# How long calls that run may take to end after the connection has; the front waits a little longer than this.
FINISH_SECONDS = 2.0
# The same where we are told to stop, with the connection going on in another worker.
FINISH_SECONDS_WHEN_STOPPED = 10.0
# A worker that was told to stop leaves its sessions to the next one, and says so by this exit code.
STOPPED = 128 + signal.SIGTERM

# What tells the client's project; nothing else of the client's environment is looked at.
CLIENT_VARIABLES = ("ORCHESTRATOR_PROJECT_DIR", "CLAUDE_PROJECT_DIR", "VSCODE_CWD", "CURSOR_CWD", "WINDSURF_CWD")


def main(argv: list[str]) -> int:
    """Serve the connection until its end; return the exit code."""
    wire_fds = _claim_wire()
    hide_root()
    # Imports make objects that stay: looking through them for garbage again and again costs a third of the start.
    gc.disable()
    worker = _Worker(wire_fds, _toolsets(argv))
    gc.freeze()
    gc.enable()
    return worker.run()


def _claim_wire() -> tuple[int, int]:
    """Take the descriptors that the front made for us, or else the standard ones."""
    given = os.environ.pop("ORCHESTRATOR_WIRE", "")
    if not given:
        return claim_standard_streams()
    input_fd, output_fd = map(int, given.split(","))
    os.set_inheritable(input_fd, False)
    os.set_inheritable(output_fd, False)
    return input_fd, output_fd


def _toolsets(argv: list[str]) -> list[str]:
    named = argv[1] if argv[:1] == ["--toolsets"] else "core"
    return [name.strip() for name in named.split(",") if name.strip()]


class _Worker:
    """One connection's server and its end."""

    def __init__(self, wire_fds: tuple[int, int], toolsets: list[str]) -> None:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator_site.settings")
        import django

        django.setup()
        from orchestrator_site.mcp.server import build_server
        from orchestrator_site.mcp.stdio.transport import Wire

        given_id = os.environ.pop("ORCHESTRATOR_CONNECTION_ID", "")
        self._connection_id = given_id or os.urandom(16).hex()
        self._timers: list[Timer] = []
        self._schema = _Schema()
        self._wire = Wire(*wire_fds, has_front=bool(given_id), when_ending=self._watch_the_end)
        caller_for = _OneCaller(self._connection_id)
        self._bridge = build_server(caller_for=caller_for, toolsets=toolsets, before_call=self._before_call)

    def _before_call(self, request_id: int | str) -> None:
        self._schema.ensure()
        self._wire.give_receipt(request_id)

    def run(self) -> int:
        """Serve until the end, then end the connection's sessions where it is the connection that ended."""
        import anyio

        signal.signal(signal.SIGTERM, lambda *_: self._wire.end())
        # The front decides when we end; a Ctrl-C in its terminal is for the front alone.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        anyio.run(self._serve)
        for timer in self._timers:
            timer.cancel()
        return self._end()

    async def _serve(self) -> None:
        import anyio
        from anyio.to_thread import run_sync

        async with anyio.create_task_group() as tasks:
            # Beside the first requests: lists need no database, and a first call waits for it by itself.
            tasks.start_soon(run_sync, self._schema.try_early)
            await self._wire.serve(self._bridge)

    def _watch_the_end(self) -> None:
        """Make sure that a call that hangs does not keep the process alive."""
        seconds = FINISH_SECONDS if self._wire.saw_end_of_input else FINISH_SECONDS_WHEN_STOPPED
        timer = Timer(seconds, self._end_at_once)
        timer.daemon = True
        timer.start()
        self._timers.append(timer)

    def _end_at_once(self) -> None:
        logger.warning("A call still runs after the end of its connection; it is given up.")
        code = self._end()
        logging.shutdown()
        os._exit(code)

    def _end(self) -> int:
        code = self._end_sessions()
        # After what matters: when it cannot be written now, some seconds of statistics are lost and nothing else.
        self._bridge.meter.flush_and_go()
        return code

    def _end_sessions(self) -> int:
        if not self._wire.saw_end_of_input:
            return STOPPED
        from tasks.services.sessions import end_connection

        try:
            self._schema.ensure()
            end_connection(self._connection_id)
        except Exception:  # the outermost edge: there is nobody left to tell but the log
            logger.exception("The sessions of this connection stay open; their leases run out by themselves.")
            return 1
        return 0


class _Schema:
    """Brings the schema up to date once, whoever comes first."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._ready = Event()

    def ensure(self) -> None:
        """Return once the schema is up to date.

        Raises OrchestratorError where it cannot be brought there; the next call tries again.
        """
        if self._ready.is_set():
            return
        from django.db import DatabaseError

        from maintenance.upgrades.ensure_schema import ensure_schema
        from orchestrator_site.kernel.errors import Transient

        with self._lock:
            if self._ready.is_set():
                return
            try:
                ensure_schema()
            except (DatabaseError, OSError) as problem:
                logger.exception("The database could not be brought up to date.")
                raise Transient(
                    "The database could not be brought up to date; the server's log on standard error says why.",
                    retry_after_ms=5000,
                ) from problem
            self._ready.set()

    def try_early(self) -> None:
        """Do it before anybody asks; who asks is told of a problem."""
        from django.db import close_old_connections

        from orchestrator_site.kernel.errors import OrchestratorError

        try:
            self.ensure()
        except OrchestratorError as error:
            logger.warning("%s", error)
        finally:
            close_old_connections()


class _OneCaller:
    """The one caller of a pipe: the person whose account runs this process, with a client that says its own name.

    A pipe has no token: who can start us can read the database, too. ORCHESTRATOR_STDIO_SCOPES may grant less.
    """

    def __init__(self, connection_id: str) -> None:
        self._connection_id = connection_id
        self._environ = {name: os.environ[name] for name in CLIENT_VARIABLES if os.environ.get(name)}
        self._working_directory = os.environ.pop("ORCHESTRATOR_CLIENT_DIRECTORY", "")
        self._principal: Principal | None = None

    def __call__(self, context: Context[Any, Any]) -> Caller:
        from tasks.identity.client import Caller

        caller = Caller(
            self._local_principal(),
            connection_id=self._connection_id,
            environ=self._environ,
            working_directory=self._working_directory,
        )
        if (params := context.session.client_params) is not None:
            caller.client_name, caller.client_version = params.client_info.name, params.client_info.version
        return caller

    def _local_principal(self) -> Principal:
        if self._principal is None:
            from orchestrator_site.accounts.local import local_principal

            self._principal = local_principal()
        return self._principal


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
