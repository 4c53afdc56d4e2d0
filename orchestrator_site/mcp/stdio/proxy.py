"""The stdio proxy: it keeps the client's pipes, runs the worker as its child and replaces it when it dies.

Standard library only, so that it starts within milliseconds and stays small.
"""

from __future__ import annotations

import os
import signal
import time
from queue import Empty, SimpleQueue
from threading import Lock, Thread

from orchestrator_site.mcp.stdio import messages
from orchestrator_site.mcp.stdio.attached import Attached, NotServed, attach, socket_identity
from orchestrator_site.mcp.stdio.exchange import BY_CHANGE, BY_SIGNAL, BY_SITE, Exchange, Order
from orchestrator_site.mcp.stdio.framing import (
    LINE_LIMIT,
    MISCONFIGURED,
    LineWriter,
    claim_standard_streams,
    log,
    read_lines,
)
from orchestrator_site.mcp.stdio.link import Link
from orchestrator_site.mcp.stdio.process import Worker
from orchestrator_site.mcp.stdio.relay import Relay

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser

# Repeated here, since the proxy must not import what registers them; a test compares the two.
TOOLSETS = ("core", "artifacts", "maintenance", "server", "isolation", "templates", "routing", "all")
DESCRIPTION = "Serve an AI assistant over standard input and output (Model Context Protocol)."

# How long responses are still delivered once the client has closed its input.
DRAIN_SECONDS = 10.0
HURRIED_DRAIN_SECONDS = 1.5
GRACE_SECONDS = 3.0
# For a worker that only ends the sessions of one that was killed; its start takes seconds on a busy machine.
LAST_SECONDS = 10.0
# A worker that neither lives this long nor answers a request is a false start; after some in a row we slow down.
SETTLED_SECONDS = 10.0
FALSE_STARTS = 3
LONGEST_PAUSE_SECONDS = 30.0

# How often a proxy with a worker looks whether a site has come.
WATCH_SECONDS = 2.0

# Windows delivers signals only between waits.
_LONGEST_WAIT = 0.5 if os.name == "nt" else 3600.0
_EOF, _GONE, _SIGNAL, _IDLE = "end of input", "client gone", "signal", "idle"


class Proxy:
    def __init__(self, wire: tuple[int, int], toolsets: str, *, reloads: bool = False) -> None:
        self._input = wire[0]
        self._toolsets = toolsets
        self._reloads = reloads
        self._connection_id = os.urandom(16).hex()
        # SimpleQueue.put may be called from a signal handler; an Event or a Condition may not.
        self._events: SimpleQueue[str] = SimpleQueue()
        self._client = LineWriter(wire[1], lambda: self._events.put(_GONE))
        self._relay = Relay(
            self._client,
            when_idle=self._when_idle,
            when_asked=lambda worker, wanted: self._exchange.orders.put(Order(worker, wanted)),
        )
        self._is_draining = False
        self._is_closing = False
        self._worker: Link | None = None
        self._others: dict[Link, Thread] = {}
        """Those that are to serve next, or have served before and finish their calls."""
        self._worker_lock = Lock()
        self._adopting = Lock()
        self._exchange = Exchange(self._relay, self._start_beside, self._switch)
        self._refused_by: tuple[int, int] | None = None
        """The socket of a site that never serves this assistant."""
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._last_exit_code = 0
        self._supervisor = Thread(target=self._supervise, name="supervisor", daemon=True)

    def run(self) -> int:
        self._supervisor.start()
        for name in ("SIGTERM", "SIGINT", "SIGBREAK"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), lambda *_: self._events.put(_SIGNAL))
        if hasattr(signal, "SIGHUP"):  # the end of a terminal ends the client, and so its pipes
            signal.signal(signal.SIGHUP, lambda *_: self._exchange.orders.put(BY_SIGNAL))
        Thread(target=self._exchange.run, name="exchange", daemon=True).start()
        if self._reloads:
            from orchestrator_site.mcp.stdio.reload import watch  # most proxies do without it

            Thread(target=watch, args=[lambda: self._exchange.orders.put(BY_CHANGE)], name="code", daemon=True).start()
        else:
            Thread(target=self._watch_for_site, name="site", daemon=True).start()
        Thread(target=self._read_client, name="client", daemon=True).start()
        reason = self._next_event(None)
        self._drain(DRAIN_SECONDS if reason == _EOF else HURRIED_DRAIN_SECONDS)
        self._end_worker()
        return 0

    def _read_client(self) -> None:
        try:
            for line in read_lines(self._input, lambda: self._client.send(messages.too_long(LINE_LIMIT))):
                self._relay.from_client(line)
        except OSError as problem:
            log(f"cannot read from the client: {problem.strerror}")
        self._events.put(_EOF)

    # The end

    def _next_event(self, deadline: float | None) -> str:
        """Wait for an event; return an empty string at the deadline."""
        while True:
            left = _LONGEST_WAIT if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                return self._events.get(timeout=min(left, _LONGEST_WAIT))
            except Empty:
                if deadline is not None and time.monotonic() >= deadline:
                    return ""

    def _when_idle(self) -> None:
        if self._is_draining:
            self._events.put(_IDLE)

    def _drain(self, seconds: float) -> None:
        self._is_draining = True
        deadline = time.monotonic() + seconds
        while not self._relay.is_idle and time.monotonic() < deadline:
            if self._next_event(deadline) in (_SIGNAL, _GONE):
                deadline = min(deadline, time.monotonic() + HURRIED_DRAIN_SECONDS)

    def _end_worker(self) -> None:
        with self._worker_lock:
            self._is_closing = True
            worker, supervisor, others = self._worker, self._supervisor, list(self._others)
        self._wake.put(None)
        for other in others:
            other.kill()
        if worker:
            worker.close_input()
        # A worker that has answered nothing may still be starting, and then ends the sessions.
        is_starting = worker is not None and not worker.is_useful and self._relay.has_called
        supervisor.join(LAST_SECONDS if is_starting else GRACE_SECONDS)
        if worker and supervisor.is_alive():
            worker.kill()
            supervisor.join(GRACE_SECONDS)
        if self._last_exit_code != 0 and self._relay.has_called:
            self._end_connection()

    def _end_connection(self) -> None:
        """Start a last worker with a closed input, which ends the sessions that the previous one left open."""
        try:
            worker = self._own_worker()
        except OSError as problem:
            log(f"the sessions of this connection could not be ended: {problem.strerror}")
            return
        worker.close_input()
        worker.reap(LAST_SECONDS)

    # The life of workers

    def _supervise(self, worker: Link | None = None) -> None:
        """Keep a worker running until the connection ends, or until another one serves in its place."""
        false_starts = 0
        while worker := worker or self._start_worker(may_attach=not (false_starts or self._reloads)):
            code = self._attend(worker)
            if not self._ended_in_service(worker):
                return
            self._last_exit_code = code
            was_settled = worker.is_useful or time.monotonic() - worker.started_at > SETTLED_SECONDS
            false_starts = 0 if was_settled else false_starts + 1
            if not self._is_closing:
                log(f"{worker.what} ended (exit code {code}); starting another")
            if false_starts >= FALSE_STARTS:
                self._pause(false_starts - FALSE_STARTS)
            worker = None

    def _attend(self, worker: Link) -> int:
        """Pass on what a worker writes until it ends; return its exit code."""
        for line in worker.lines():
            self._relay.from_worker(worker, line)
        code = worker.reap(GRACE_SECONDS)
        with self._adopting:
            worker.has_ended = True
            self._relay.lose(worker)
        worker.has_reported.set()
        return code

    def _ended_in_service(self, worker: Link) -> bool:
        with self._worker_lock:
            self._others.pop(worker, None)
            if worker is not self._worker:
                return False
            self._worker = None
            return True

    def _start_worker(self, *, may_attach: bool) -> Link | None:
        """Attach to the site or start a worker, however many attempts it takes.

        Return None once the connection ends or another one serves.
        """
        attempt = 0
        while True:
            attached = self._attach() if may_attach else None
            with self._worker_lock:
                if self._is_closing or self._worker:
                    worker = None
                    break
                try:
                    worker = self._worker = attached or self._own_worker()
                    break
                except OSError as problem:
                    log(f"cannot start a worker: {problem.strerror}")
            self._pause(attempt)
            attempt += 1
        if worker:
            self._adopt(worker)
        elif attached:
            attached.kill()
            attached.reap(0)
        return worker

    def _own_worker(self, *, is_trial: bool = False) -> Worker:
        return Worker(self._connection_id, ["--toolsets", self._toolsets], is_trial=is_trial)

    def _adopt(self, worker: Link) -> None:
        with self._adopting:
            if not worker.has_ended:
                self._relay.adopt(worker)

    def _watch_for_site(self) -> None:
        """Change over to a site that comes while a worker serves; one that has refused is left alone."""
        while not self._is_closing:
            time.sleep(WATCH_SECONDS)
            is_alone = isinstance(self._worker, Worker) and not self._others
            if is_alone and socket_identity() not in (None, self._refused_by):
                self._change_to_site(quietly=True)

    def _change_to_site(self, *, quietly: bool = False) -> None:
        if attached := self._attach(quietly=quietly):
            self._exchange.orders.put(Order(None, BY_SITE, attached))

    def _attach(self, *, quietly: bool = False) -> Link | None:
        """Connect to the site; when it leaves, change over to the process that takes its place."""

        def when_leaving() -> None:
            Thread(target=self._change_to_site, name="site", daemon=True).start()

        if (site := socket_identity()) is None:
            return None
        try:
            return attach(self._connection_id, self._toolsets, when_leaving)
        except NotServed as problem:
            if problem.is_for_good:
                self._refused_by = site
            if problem.is_for_good or not quietly:
                log(f"the site does not serve this assistant: {problem}; a worker does")
            return None

    def _start_beside(self, is_trial: bool, site: Link | None) -> Link | None:
        if site is None and not is_trial and isinstance(self._worker, Attached):
            site = self._attach()
        with self._worker_lock:
            if self._is_closing:
                return None
            worker = site or self._own_worker(is_trial=is_trial)
            supervisor = Thread(target=self._supervise, args=[worker], name="supervisor", daemon=True)
            self._others[worker] = supervisor
        supervisor.start()
        return worker

    def _switch(self, worker: Link) -> tuple[bool, Link | None]:
        """Let a worker serve that runs beside the one that serves now; return whether it does, and the other one."""
        with self._worker_lock:
            if self._is_closing or worker not in self._others:
                return False, None
            old, self._worker = self._worker, worker
            if old:
                self._others[old] = self._supervisor
            self._supervisor = self._others.pop(worker)
        self._adopt(worker)
        return True, old

    def _pause(self, attempt: int) -> None:
        """Answer all requests with an error and wait, longer with each attempt."""
        seconds = min(2.0**attempt, LONGEST_PAUSE_SECONDS)
        self._relay.suspend(int(seconds * 1000), is_lasting=self._last_exit_code == MISCONFIGURED)
        try:
            self._wake.get(timeout=seconds)
        except Empty:
            return


def main(argv: list[str]) -> int:
    """Serve the client on standard input and output; `argv` are the options of `mcp_serve`."""
    toolsets = argv[1] if argv[:1] == ["--toolsets"] and argv[1:] in ([name] for name in TOOLSETS) else "core"
    reloads = False
    if argv and argv != ["--toolsets", toolsets]:
        import argparse  # slow, and usually there is nothing to parse

        parser = argparse.ArgumentParser(prog="manage.py mcp_serve", description=DESCRIPTION)
        add_options(parser)
        given = parser.parse_args(argv)
        toolsets, reloads = given.toolsets, given.reload
    return Proxy(claim_standard_streams(), toolsets, reloads=reloads).run()


def add_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--toolsets",
        default="core",
        metavar="NAMES",
        type=known_toolsets,
        help=f"toolsets to offer, separated by commas: {', '.join(TOOLSETS)} (default: core)",
    )
    parser.add_argument(
        "--reload", action="store_true", help="restart when code or settings change, on the same connection"
    )


def known_toolsets(names: str) -> str:
    """Return names of toolsets unchanged; raise ArgumentTypeError for an unknown one."""
    from argparse import ArgumentTypeError  # slow, and usually there is nothing to parse

    for name in names.split(","):
        if name.strip() not in TOOLSETS:
            raise ArgumentTypeError(f"unknown toolset {name!r}; choose from {', '.join(TOOLSETS)}")
    return names
