"""The worker behind the proxy: Django, the tools and the SDK, serving one connection over private pipes.

The proxy starts it as `python -m orchestrator_site.mcp.stdio.worker`. Heavy imports wait until stdout is protected.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import re
import signal
import sys
from functools import cache, partial
from threading import Lock, Timer
from typing import TYPE_CHECKING, Any

from orchestrator_site.kernel.introduction import CLIENT_VARIABLES
from orchestrator_site.kernel.processes import hide_root
from orchestrator_site.kernel.serving import process_facts
from orchestrator_site.mcp.stdio.framing import MISCONFIGURED, READY, LineWriter, claim_standard_streams, log
from orchestrator_site.mcp.stdio.messages import encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp.server.mcpserver import Context

    from orchestrator_site.kernel.identity import Principal
    from orchestrator_site.kernel.serving import Serving
    from orchestrator_site.mcp.server import CallerFor

logger = logging.getLogger(__name__)

# How long running calls may take once the connection has ended; the proxy waits a little longer.
FINISH_SECONDS = 2.0
# The same when this worker is stopped and another one continues the connection.
FINISH_SECONDS_WHEN_STOPPED = 10.0
# The exit code of a worker that was stopped and leaves its sessions to the next one.
STOPPED = 128 + signal.SIGTERM

PROBLEM_CHARS = 300


def main(argv: list[str]) -> int:
    if given := os.environ.pop("ORCHESTRATOR_WIRE", ""):
        input_fd, output_fd = map(int, given.split(","))
        os.set_inheritable(input_fd, False)
        os.set_inheritable(output_fd, False)
    else:
        input_fd, output_fd = claim_standard_streams()
    hide_root()
    # Collecting garbage among the many objects of the imports would take a third of the start.
    gc.disable()
    has_proxy = "ORCHESTRATOR_CONNECTION_ID" in os.environ
    toolsets = argv[1] if argv[:1] == ["--toolsets"] else "core"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator_site.settings")
    from django.core.exceptions import ImproperlyConfigured

    try:
        worker = _Worker((input_fd, output_fd), [name.strip() for name in toolsets.split(",") if name.strip()])
    except (ImproperlyConfigured, OSError) as problem:
        log(f"cannot start: {problem}")
        _report(output_fd if has_proxy else None, problem)
        return MISCONFIGURED
    except Exception as problem:  # the outermost edge
        _report(output_fd if has_proxy else None, problem)
        raise
    gc.freeze()
    gc.enable()
    return worker.run()


def _report(fd: int | None, problem: Exception) -> None:
    """Tell the proxy, if there is one, why this worker cannot serve; folders are no business of its client."""
    if fd is not None:
        text = re.sub(r"(?:[A-Za-z]:)?[\\/][^\s'\"]*[\\/]", "", f"{type(problem).__name__}: {problem}")[:PROBLEM_CHARS]
        LineWriter(fd, lambda: None).send(json.dumps({READY: {"problem": text}}).encode() + b"\n")


class _Worker:
    def __init__(self, wire_fds: tuple[int, int], toolsets: list[str]) -> None:
        import django

        django.setup()
        from orchestrator_site.accounts.owner import local_principal
        from orchestrator_site.mcp.server import build_server
        from orchestrator_site.mcp.stdio.transport import PipeTransport

        given_id = os.environ.pop("ORCHESTRATOR_CONNECTION_ID", "")
        self._connection_id = given_id or os.urandom(16).hex()
        self._is_on_trial = bool(os.environ.pop("ORCHESTRATOR_TRIAL", ""))
        self._timers: list[Timer] = []
        self._schema = Schema()
        self._transport = PipeTransport(
            *wire_fds,
            has_proxy=bool(given_id),
            when_ending=self._limit_the_end,
            when_restarted=partial(record_restart, self._schema),
        )
        self._principal = cache(local_principal)
        environ = {name: os.environ[name] for name in CLIENT_VARIABLES if os.environ.get(name)}
        directory = os.environ.pop("ORCHESTRATOR_CLIENT_DIRECTORY", "")
        serving = self._transport if given_id else None
        caller_for = local_caller(self._connection_id, self._principal, environ, directory, serving)
        self._bridge = build_server(caller_for=caller_for, toolsets=toolsets, before_call=self._before_call)

    def _before_call(self, request_id: int | str) -> None:
        if self._schema.ensure():
            self._principal.cache_clear()
        self._transport.give_receipt(request_id)

    def run(self) -> int:
        """Serve until the end; then end the sessions if the connection itself has ended."""
        import anyio

        signal.signal(signal.SIGTERM, lambda *_: self._transport.end())
        # A Ctrl-C in the terminal is for the proxy, which decides when the worker ends.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        anyio.run(self._serve)
        for timer in self._timers:
            timer.cancel()
        return self._end()

    async def _serve(self) -> None:
        import anyio

        from orchestrator_site.asgi.database import in_thread

        async with anyio.create_task_group() as tasks:
            # Concurrently with the first requests: lists need no database, and calls wait for the schema.
            if not self._is_on_trial:
                tasks.start_soon(in_thread, self._schema.try_early)
            tasks.start_soon(self._report)
            await self._transport.serve(self._bridge)

    async def _report(self) -> None:
        self._transport.send(encode({READY: {**process_facts(), "lists": await self._bridge.fingerprints()}}))

    def _limit_the_end(self) -> None:
        """Make sure that a hanging call does not keep the process alive."""
        seconds = FINISH_SECONDS if self._transport.saw_end_of_input else FINISH_SECONDS_WHEN_STOPPED
        timer = Timer(seconds, self._end_at_once)
        timer.daemon = True
        timer.start()
        self._timers.append(timer)

    def _end_at_once(self) -> None:
        logger.warning("A call was still running after its connection ended; it is abandoned.")
        code = self._end()
        logging.shutdown()
        os._exit(code)

    def _end(self) -> int:
        code = self._end_sessions()
        # Last, since it may fail: only some seconds of statistics would be lost.
        self._bridge.meter.flush_and_go()
        return code

    def _end_sessions(self) -> int:
        if not self._transport.saw_end_of_input:
            return STOPPED
        from tasks.services.sessions import end_connection

        try:
            self._schema.ensure()
            end_connection(self._connection_id)
        except Exception:  # the outermost edge
            logger.exception("The sessions of this connection could not be ended; their leases will expire.")
            return 1
        return 0


def record_restart(schema: Schema, facts: dict[str, Any]) -> None:
    """Write down what the proxy says of a restart, in a thread of its own."""
    from django.db import DatabaseError, connections

    from orchestrator_site.kernel.errors import OrchestratorError
    from orchestrator_site.restarts import record_of_connection

    try:
        schema.ensure()
        record_of_connection(facts)
    except (DatabaseError, OrchestratorError):
        logger.exception("A restart could not be recorded.")
    finally:
        connections.close_all()


class Schema:
    """The schema of the database, looked at again when another file takes its place."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._is_ready = False
        self._file: tuple[int, int] | None = None

    def ensure(self) -> bool:
        """Return once the schema is up to date, and whether the database may be another one than before.

        Raises OrchestratorError; the next call tries again.
        """
        from django.db import connection

        from orchestrator_site.kernel.files import file_identity

        with self._lock:
            name = str(connection.settings_dict["NAME"])
            file = file_identity(name)  # None on PostgreSQL
            if self._is_ready and file == self._file:
                return False
            from maintenance.upgrades.ensure_schema import ensure_schema
            from orchestrator_site.kernel.db_errors import db_errors_mapped
            from orchestrator_site.kernel.files import disk_fault

            try:
                with db_errors_mapped("its migrations"):
                    ensure_schema()
            except OSError as problem:
                logger.exception("The database could not be migrated.")
                raise disk_fault("The database could not be migrated", problem) from problem
            self._is_ready, self._file = True, file or file_identity(name)  # which is made now if it was not there
            return True

    def try_early(self) -> None:
        """Start early; a later call reports what went wrong."""
        from orchestrator_site.kernel.errors import OrchestratorError

        try:
            self.ensure()
        except OrchestratorError as error:
            logger.warning("%s", error)


def local_caller(
    connection_id: str,
    principal: Callable[[], Principal],
    environ: dict[str, str],
    directory: str,
    serving: Serving | None,
) -> CallerFor:
    """Return what makes the caller of a request: the person whose account runs this process.

    A pipe needs no token, since whoever can start this process can also read the database.
    """
    from tasks.services.caller import Caller

    def caller_for(context: Context[Any, Any]) -> Caller:
        caller = Caller(
            principal(), connection_id=connection_id, environ=environ, working_directory=directory, serving=serving
        )
        if (params := context.session.client_params) is not None:
            caller.client_name, caller.client_version = params.client_info.name, params.client_info.version
        return caller

    return caller_for


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
