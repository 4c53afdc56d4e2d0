"""Count what tool calls cost: in memory while they run, and in the database some seconds later."""

from __future__ import annotations

import logging
from collections import OrderedDict
from threading import Lock, Thread

import anyio
from django.utils import timezone

from orchestrator_site.asgi.database import in_thread
from tasks.identity.client import Caller
from tasks.services.tool_use import Key, Use, add_uses

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 2.0
LAST_FLUSH_SECONDS = 1.0
"""How long the end of the server waits for the last counts to be written."""
MOST_KEPT = 10_000
"""Sessions by tools that are counted while the database takes nothing; beyond it, new ones are not counted."""
MOST_CALLERS = 1_000


class Meter:
    """Counts calls from any thread. A process that is killed loses the counts of its last seconds, and no work."""

    def __init__(self) -> None:
        self._lock, self._flushing = Lock(), Lock()
        self._uses: dict[Key, Use] = {}
        self._last_sessions: OrderedDict[str, int] = OrderedDict()

    def note(self, caller: Caller, tool: str, received: int, answer: str, *, error: str, is_repaired: bool) -> None:
        """Count one call.

        One that was refused before its session was known counts for the session that its connection, or its access
        token where there is none, was in last; where this process has seen none yet, it is not counted.
        """
        now = timezone.now()
        sent = len(answer) if answer.isascii() else len(answer.encode())
        use = Use(now, now, 1, int(bool(error)), int(is_repaired), received, sent, error[:40])
        with self._lock:
            session = self._session_of(caller)
            if session is not None:
                self._keep((session, tool), use)

    def flush(self) -> None:
        """Write what was counted; what the database does not take now is kept for the next time."""
        with self._flushing:
            with self._lock:
                uses, self._uses = self._uses, {}
            if uses:
                self._write(uses)

    def _write(self, uses: dict[Key, Use]) -> None:
        try:
            for written in add_uses(dict(uses)):
                for key in written:
                    del uses[key]
        except Exception:  # the outermost edge: statistics never end a server
            logger.warning("What tool calls cost could not be written and is kept for later.", exc_info=True)
        finally:
            self._take_back(uses)

    def flush_and_go(self) -> None:
        """Write what was counted at the end of a process, which waits for a busy database no longer than this."""
        last = Thread(target=self.flush, daemon=True)
        last.start()
        last.join(LAST_FLUSH_SECONDS)

    async def flush_in_thread(self) -> None:
        """Write what was counted beside the event loop, and wait for it, though not for long."""
        with anyio.move_on_after(LAST_FLUSH_SECONDS, shield=True):
            await in_thread(self.flush, abandon_on_cancel=True)

    async def run(self) -> None:
        """Write every few seconds, until cancelled; who ends the server flushes once more."""
        while True:
            await anyio.sleep(FLUSH_SECONDS)
            if self._uses:
                await in_thread(self.flush, abandon_on_cancel=True)

    def _session_of(self, caller: Caller) -> int | None:
        whose = caller.connection_id or caller.principal.token_id
        if whose and caller.worked_in is not None:
            self._last_sessions[whose] = caller.worked_in
            self._last_sessions.move_to_end(whose)
            if len(self._last_sessions) > MOST_CALLERS:
                self._last_sessions.popitem(last=False)
        return self._last_sessions.get(whose)

    def _take_back(self, uses: dict[Key, Use]) -> None:
        with self._lock:
            for key, use in uses.items():
                self._keep(key, use)

    def _keep(self, key: Key, use: Use) -> None:
        if key in self._uses:
            self._uses[key].add(use)
        elif len(self._uses) < MOST_KEPT:
            self._uses[key] = use
