"""Count what tool calls cost: in memory at first, and in the database some seconds later."""

from __future__ import annotations

import logging
from collections import OrderedDict
from threading import Lock, Thread

import anyio
from django.utils import timezone

from orchestrator_site.asgi.database import in_thread
from orchestrator_site.kernel import read_only
from tasks.services.caller import Caller
from tasks.services.tool_use import Key, Use, add_uses

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 2.0
LAST_FLUSH_SECONDS = 1.0
"""How long a server that stops waits for the last counts to be written."""
MOST_KEPT = 10_000
"""Pairs of session and tool that are kept while the database is unavailable; further ones are not counted."""
MOST_CALLERS = 1_000


class Meter:
    """Thread-safe counters. A process that is killed loses the counts of its last seconds."""

    def __init__(self) -> None:
        self._lock, self._flushing = Lock(), Lock()
        self._uses: dict[Key, Use] = {}
        self._last_sessions: OrderedDict[str, int] = OrderedDict()

    def note(self, caller: Caller, tool: str, received: int, answer: str, *, error: str, is_repaired: bool) -> None:
        """Count one call.

        A call that failed before its session was known counts for the last session of its connection, or of its
        access token if it has none; if this process has seen no such session, it is not counted.
        """
        now = timezone.now()
        sent = len(answer) if answer.isascii() else len(answer.encode())
        use = Use(now, now, 1, int(bool(error)), int(is_repaired), received, sent, error[:40])
        with self._lock:
            session = self._session_of(caller)
            if session is not None:
                self._keep((session, tool), use)

    def flush(self) -> None:
        """Write the counts, and keep what the database does not accept for the next time."""
        if read_only.is_on():
            return
        with self._flushing:
            with self._lock:
                uses, self._uses = self._uses, {}
            try:
                for written in add_uses(dict(uses)) if uses else ():
                    for key in written:
                        del uses[key]
            except Exception:  # the outermost edge: statistics never end a server
                logger.warning("The costs of tool calls could not be written and are kept for later.", exc_info=True)
            finally:
                with self._lock:
                    for key, use in uses.items():
                        self._keep(key, use)

    def flush_and_go(self) -> None:
        """Flush at the end of a process, with a limit on how long a busy database can delay it."""
        last = Thread(target=self.flush, daemon=True)
        last.start()
        last.join(LAST_FLUSH_SECONDS)

    async def run(self) -> None:
        while True:
            await anyio.sleep(FLUSH_SECONDS)
            if self._uses:
                await in_thread(self.flush, abandon_on_cancel=True)

    def _session_of(self, caller: Caller) -> int | None:
        key = caller.connection_id or caller.principal.token_id
        if key and caller.worked_in is not None:
            self._last_sessions[key] = caller.worked_in
            self._last_sessions.move_to_end(key)
            if len(self._last_sessions) > MOST_CALLERS:
                self._last_sessions.popitem(last=False)
        return self._last_sessions.get(key)

    def _keep(self, key: Key, use: Use) -> None:
        if key in self._uses:
            self._uses[key].add(use)
        elif len(self._uses) < MOST_KEPT:
            self._uses[key] = use
