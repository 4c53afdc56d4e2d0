"""The site's end of connections from assistants on this machine: a bridge for each, in the web server's process."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache, partial
from typing import Any

import anyio
import mcp_types
from django.conf import settings
from pydantic import BaseModel, Field, ValidationError

from orchestrator_site.accounts.owner import local_principal
from orchestrator_site.asgi.database import in_thread
from orchestrator_site.kernel import loopback
from orchestrator_site.kernel.errors import Transient
from orchestrator_site.kernel.introduction import FOLDER, heeded, identity, installation
from orchestrator_site.kernel.serving import process_facts
from orchestrator_site.mcp.server import Bridge, build_server
from orchestrator_site.mcp.stdio.attached import ATTACHED, ENDED, LEAVING, REFUSED, is_ours
from orchestrator_site.mcp.stdio.framing import READY, RECEIPT, LineSplitter
from orchestrator_site.mcp.stdio.messages import encode
from orchestrator_site.mcp.stdio.proxy import TOOLSETS
from orchestrator_site.mcp.stdio.transport import WORKER_LINE_LIMIT, Transport, message_in, rejection
from orchestrator_site.mcp.stdio.worker import FINISH_SECONDS, Schema, local_caller, record_restart
from orchestrator_site.up.serving import SiteServing, own_supervisor
from tasks.services.sessions import end_connection

logger = logging.getLogger(__name__)

MOST_CONNECTIONS = 100
"""Each holds a descriptor and a bridge; further assistants start workers."""
INTRODUCTION_LIMIT = 64 * 1024
INTRODUCTION_SECONDS = 10.0
RECEIPT_SECONDS = 1.0
"""How long a call waits for its receipt to leave, if its assistant has just stopped to read: it holds a thread."""
PATIENCE_SECONDS = 2.0
"""How long a proxy may take to read the last that it is sent."""
POLL_SECONDS = 0.05
LEAVING_SECONDS = 1.0
"""How long proxies have to find the next process before this one ends their connections."""


class Introduction(BaseModel, strict=True):
    """What `introduction.introduction` says; a newer proxy may say more."""

    installation: str
    home: str
    connection_id: str = Field(pattern="^[0-9a-f]{32}$")
    toolsets: list[str]
    environ: dict[str, str]
    settings: dict[str, str]
    directory: str
    directory_identity: list[int] | None
    proof: str = ""
    """Over a port: that the proxy knows the secret."""


class Resident:
    """All connections. They share the meter and the follower of events of one bridge, which runs in the same loop."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self.schema = Schema()
        self._principal = cache(local_principal)
        self._end_threads = anyio.CapacityLimiter(2)
        self.connections: set[Connection] = set()
        self.place: loopback.Place | None = None
        """Over a port: what the proxies read of it."""
        self._is_over = False
        self._fingerprints: dict[tuple[str, ...], dict[str, str]] = {}

    @asynccontextmanager
    async def run(self, listener: socket.socket) -> AsyncIterator[None]:
        """Accept connections; at the end let their calls finish, and leave their sessions to what serves them next."""
        if listener.family == socket.AF_INET:
            place = loopback.place_in(str(settings.ORCHESTRATOR_HOME / FOLDER))
            self.place = place or loopback.Place(0, loopback.new_nonce())  # a secret that none knows
        async with anyio.create_task_group() as self.tasks:
            server = await asyncio.get_running_loop().create_server(lambda: Connection(self), sock=listener)
            self.tasks.start_soon(self._leave, server)
            yield
            self._is_over = True
            while self.connections:  # the web server limits how long
                await anyio.sleep(POLL_SECONDS)
            self.tasks.cancel_scope.cancel()

    async def _leave(self, server: asyncio.Server) -> None:
        """Once this process is to end, have all proxies connect to the next one, which they may find already."""
        while not (self._is_over or self._bridge.events.is_over):
            await anyio.sleep(POLL_SECONDS)
        server.close()
        for connection in list(self.connections):
            connection.send(LEAVING)
        await anyio.sleep(LEAVING_SECONDS)
        while True:  # some may have been accepted last
            for connection in list(self.connections):
                connection.end()
            await anyio.sleep(POLL_SECONDS)

    def refusal(self, introduced: Introduction) -> str:
        """Return why a worker of its own has to serve an assistant; empty where this process can."""
        if introduced.installation != installation():
            return f"it is {installation()}"
        if introduced.home != os.path.realpath(settings.ORCHESTRATOR_HOME):
            return "it has another data folder"
        if differing := dict(introduced.settings.items() ^ heeded(os.environ).items()):
            return f"these variables differ: {', '.join(sorted(differing))}"
        if not set(introduced.toolsets) <= set(TOOLSETS):
            return f"it knows only the toolsets {', '.join(TOOLSETS)}"
        if not _sees(introduced):
            return "it does not see the same folder"
        return "it serves as many assistants as it can" if len(self.connections) >= MOST_CONNECTIONS else ""

    def bridge_for(self, introduced: Introduction, connection: Connection) -> Bridge:
        def before_call(request_id: mcp_types.RequestId) -> None:
            if self.schema.ensure():
                self._principal.cache_clear()
            connection.give_receipt(request_id)

        about = introduced.environ, introduced.directory
        supervisor = own_supervisor()
        serving = SiteServing(supervisor, lambda: connection.in_flight) if supervisor is not None else connection
        return build_server(
            caller_for=local_caller(introduced.connection_id, self._principal, *about, serving),
            toolsets=introduced.toolsets,
            before_call=before_call,
            until_ready=connection.until_flushed,
            beside=self._bridge,
        )

    async def fingerprints(self, bridge: Bridge, /) -> dict[str, str]:
        """Return the digests of a bridge's lists, which depend on its toolsets alone."""
        if bridge.toolsets not in self._fingerprints:
            self._fingerprints[bridge.toolsets] = await bridge.fingerprints()
        return self._fingerprints[bridge.toolsets]

    async def end_sessions(self, connection_id: str) -> bool:
        try:
            await in_thread(lambda: end_connection(connection_id), limiter=self._end_threads)
        except Exception:  # the outermost edge
            logger.exception("The sessions of a connection could not be ended; their leases will expire.")
            return False
        return True


class Connection(Transport, asyncio.Protocol):
    """One assistant: its introduction, and then the lines of a worker's pipes."""

    def __init__(self, resident: Resident) -> None:
        super().__init__(partial(record_restart, resident.schema))
        self._resident = resident
        self._loop = asyncio.get_running_loop()
        self._lines = LineSplitter(self._refuse_length, INTRODUCTION_LIMIT)
        self._is_flushed = asyncio.Event()
        self._is_flushed.set()
        self._is_over = asyncio.Event()
        self._nonce = ""
        self._bridge: Bridge | None = None
        self._is_confirmed = False

    # The socket

    def connection_made(self, wire: Any) -> None:
        self._wire: asyncio.Transport = wire
        self._wire.set_write_buffer_limits(high=0)  # so that what is written has left once writing goes on
        self._patience = self._loop.call_later(INTRODUCTION_SECONDS, self._wire.abort)
        if not is_ours(wire.get_extra_info("socket")):
            self._wire.abort()

    def data_received(self, data: bytes) -> None:
        for line in self._lines.feed(data):
            if not self._wire.is_closing():
                self._take(line)

    def pause_writing(self) -> None:
        self._is_flushed.clear()

    def resume_writing(self) -> None:
        self._is_flushed.set()

    def eof_received(self) -> bool:
        if self._is_confirmed and not self._is_ending:
            self._note_end_of_input()
        return self._is_confirmed  # so that what is owed is still answered

    def connection_lost(self, error: Exception | None) -> None:
        self._patience.cancel()
        self._is_flushed.set()
        self.eof_received()

    # Lines

    def _take(self, line: bytes) -> None:
        if self._bridge is None and self._resident.place and not self._nonce:
            self._prove(line, self._resident.place)
        elif self._bridge is None:
            self._meet(line)
        elif self._is_confirmed:
            if not self._is_controlled(line):
                self._take_message(line)
        elif line == ATTACHED:
            self._confirm(self._bridge)
        else:
            self._wire.abort()

    def _prove(self, line: bytes, place: loopback.Place) -> None:
        try:
            self._nonce, answer = place.answer(line)
        except ValueError:
            self._wire.abort()
        else:
            self._wire.write(answer)

    def _meet(self, line: bytes) -> None:
        place = self._resident.place
        try:
            introduced = Introduction.model_validate_json(line)
            if place and not place.is_proof(introduced.proof, loopback.ASSISTANT, self._nonce):
                self._wire.abort()
                return
            why = self._resident.refusal(introduced)
        except ValidationError:
            why = "it does not understand the introduction"
        if why:
            self._wire.write(encode({REFUSED: why}))
            self._wire.close()
            return
        self._connection_id = introduced.connection_id
        self._bridge = self._resident.bridge_for(introduced, self)
        self._lines.limit = WORKER_LINE_LIMIT
        self._wire.write(ATTACHED)

    def _confirm(self, bridge: Bridge) -> None:
        """Begin: from now on the end of this connection is that of its sessions."""
        self._patience.cancel()
        self._is_confirmed = True
        self._resident.connections.add(self)
        self._resident.tasks.start_soon(self._run, bridge)

    def _take_message(self, line: bytes) -> None:
        try:
            message = message_in(line)
        except ValidationError:
            self._wire.write(rejection(line))
        else:
            self._receive(message, len(line))

    def _refuse_length(self) -> None:
        self._wire.abort()

    # Answers

    def send(self, line: bytes) -> None:
        self._loop.call_soon_threadsafe(self._wire.write, line)

    async def until_flushed(self) -> None:
        """Wait until all has left, so that an assistant that reads nothing takes no thread from others."""
        await self._is_flushed.wait()

    def give_receipt(self, id: mcp_types.RequestId) -> None:
        sent = asyncio.run_coroutine_threadsafe(self._deliver(encode({RECEIPT: id})), self._loop)
        try:
            sent.result(RECEIPT_SECONDS)
        except TimeoutError:
            raise Transient("The assistant does not read what it is sent.") from None
        if self._wire.is_closing():
            raise Transient("The connection has ended.")

    async def _deliver(self, line: bytes) -> None:
        self._wire.write(line)
        await self._is_flushed.wait()

    # The end

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._begin_to_end)

    def _when_ending(self) -> None:
        if self.saw_end_of_input:
            self._loop.call_later(FINISH_SECONDS, self._is_over.set)

    async def _run(self, bridge: Bridge) -> None:
        with anyio.CancelScope() as scope:
            self._resident.tasks.start_soon(self._leave, scope)
            try:
                lists = await self._resident.fingerprints(bridge)
                self._wire.write(encode({READY: {**process_facts(), "lists": lists}}))
                await self.serve(bridge)
            except Exception:  # the outermost edge: the others go on
                logger.exception("A connection of an assistant failed.")
            finally:
                self._is_over.set()

    async def _leave(self, scope: anyio.CancelScope) -> None:
        """Take leave once all is answered, or that takes too long: a thread cannot be stopped, only left behind."""
        await self._is_over.wait()
        scope.cancel()
        if self.saw_end_of_input and await self._resident.end_sessions(self._connection_id):
            self._wire.write(ENDED)
        self._wire.close()
        self._loop.call_later(PATIENCE_SECONDS, self._wire.abort)
        self._resident.connections.discard(self)


def _sees(introduced: Introduction) -> bool:
    """Tell whether the assistant's folder is the same here: in a container it need not be."""
    try:
        return not introduced.directory or identity(introduced.directory) == introduced.directory_identity
    except (OSError, ValueError):
        return False
