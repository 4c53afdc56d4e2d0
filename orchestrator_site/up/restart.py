"""The restart of a site that runs: the next web server serves before the old one goes, and no request is refused."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError, connections

from orchestrator_site import restarts
from orchestrator_site.models import Restart
from orchestrator_site.up.child import Child

logger = logging.getLogger(__name__)

START_SECONDS = 120.0
"""How long a new web server may take until it serves; it may have to bring the database up to date."""
FINISH_SECONDS = 30.0
"""How long requests and jobs in flight may take where the request for a restart does not say it."""
KILL_SECONDS = 4.0
"""How long a child may take to exit once its time is over; it cuts everything off by itself before."""
LONGEST_PAUSE_SECONDS = 60.0
POLL_SECONDS = 0.05
_REPLACES = {"ORCHESTRATOR_REPLACES": "1"}
_ON_TRIAL = {"ORCHESTRATOR_TRIAL": "1"}


@dataclass
class _Leaving:
    child: Child
    until: float
    is_cut_off: bool = False
    facts: dict[str, Any] | None = None
    """What is true of the restart as soon as a web server accepts no more connections."""


class SiteRestart:
    """Restarts the children of a supervisor, whose thread calls `tend` again and again; nothing here waits."""

    def __init__(self, children: list[Child], start: Callable[[Child, dict[str, str]], None]) -> None:
        """`children` are the supervisor's own list, the web server first; `start` starts one with some environment."""
        self._children = children
        self._start = start
        self._next: Child | None = None
        self._leaving: list[_Leaving] = []
        self._requests: list[Restart] = []
        self._done: list[Restart] = []
        self._is_asked = False
        self._failures = 0
        self._not_before = 0.0

    @property
    def is_busy(self) -> bool:
        return self._is_asked or self._next is not None or bool(self._leaving)

    @property
    def extra_children(self) -> list[Child]:
        """Those that are not in the supervisor's list (yet, or any longer)."""
        return [*([self._next] if self._next else []), *(each.child for each in self._leaving)]

    def ask(self) -> None:
        self._is_asked = True

    def tend(self) -> None:
        if self._is_asked and self._next is None and not self._requests and time.monotonic() >= self._not_before:
            self._is_asked = False
            self._begin()
        if self._next is not None:
            self._look_at_next(self._next)
        for each in list(self._leaving):
            self._look_at_leaving(each)

    def _begin(self) -> None:
        self._requests = _recorded(restarts.take_requests) or []
        self._next = self._children[0].successor()
        try:
            self._start(self._next, _ON_TRIAL if self._is_trial else _REPLACES)
        except OSError as error:
            self._fail(f"The system cannot start it: {error.strerror}.")

    @property
    def _is_trial(self) -> bool:
        return bool(self._requests) and all(each.facts.get("is_trial") for each in self._requests)

    def _look_at_next(self, web: Child) -> None:
        if version := web.reported("ready"):
            if self._is_trial:
                self._conclude({"pid": web.pid, "version": version, "start_seconds": round(web.age_seconds, 3)})
                self._leave(web, 0.0, None)
                self._next = None
            else:
                self._switch(web, version)
        elif web.has_exited():
            why, how = web.reported("refused"), web.reap()
            self._fail(why or f"It exited before it served ({how}); the log has the reason.")
        elif web.age_seconds > START_SECONDS:
            web.reap()
            self._fail(f"It did not serve within {START_SECONDS:.0f} s.")

    def _fail(self, problem: str) -> None:
        self._next = None
        pause = min(2.0**self._failures, LONGEST_PAUSE_SECONDS)
        self._failures += 1
        self._not_before = time.monotonic() + pause
        logger.error("The restart failed, the web server before goes on. %s", problem)
        self._conclude({"problem": problem, "retry_after_ms": int(pause * 1000)})

    def _switch(self, web: Child, version: str) -> None:
        """Let the old children finish what they have; a new worker takes jobs at once."""
        seconds = max([each.facts["timeout"] for each in self._requests if "timeout" in each.facts] or [FINISH_SECONDS])
        self._failures, self._next = 0, None
        facts = {"pid": web.pid, "old_pid": self._children[0].pid, "version": version}
        facts["start_seconds"] = round(web.age_seconds, 3)
        for number, old in enumerate(self._children):
            self._children[number] = web if number == 0 else old.successor()
            self._leave(old, seconds, None if number else facts)
            if number:
                self._start(self._children[number], {})
        logger.info("%s serves (process %d); the one before finishes its requests.", web.name, web.pid)

    def _leave(self, child: Child, seconds: float, facts: dict[str, Any] | None) -> None:
        child.let_go()
        self._leaving.append(_Leaving(child, time.monotonic() + seconds, facts=facts))

    def _look_at_leaving(self, each: _Leaving) -> None:
        late = time.monotonic() - each.until
        has_gone = not each.child.is_running or each.child.has_exited()
        if each.facts and (each.child.reported("carried") or has_gone or late > 0):
            self._conclude(each.facts)
            each.facts = None
        if has_gone or late > KILL_SECONDS:
            self._leaving.remove(each)
            self._count(each.child)
            logger.info("%s stopped (%s).", each.child.name, each.child.reap())
        elif late > 0 and not each.is_cut_off:
            each.is_cut_off = True
            each.child.terminate()

    def _conclude(self, facts: dict[str, Any]) -> None:
        requests, self._requests = self._requests, []
        if not (requests and all(each.facts.get("is_trial") for each in requests)):
            self._done = requests
        _recorded(lambda: restarts.finish_since(requests, facts))

    def _count(self, child: Child) -> None:
        """Write down how many requests the old web server has carried over, and how many it had to cut off."""
        carried, cut_off = (int(child.reported(word) or 0) for word in ("carried", "cut"))
        if child.listeners and self._done:
            done, self._done = self._done, []
            _recorded(lambda: restarts.count_calls(done, carried - cut_off, cut_off))


def _recorded(write: Callable[[], Any]) -> Any:
    """Use the database for a moment; a restart does not fail because its record does."""
    try:
        return write()
    except DatabaseError:
        logger.exception("A restart could not be recorded.")
        return None
    finally:
        connections.close_all()
