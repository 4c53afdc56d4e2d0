"""The supervisor: takes runs while there is room, adopts those of one that died, and looks for strays."""

from __future__ import annotations

import logging
import os
import platform
import time
from collections.abc import Callable
from datetime import timedelta
from threading import Event

from django.db import DatabaseError, connections
from django.utils import timezone

from orchestrator_site.kernel import read_only
from tasks.agents import processes
from tasks.agents.choices import ENDED, RunState
from tasks.agents.models import Run, Supervisor
from tasks.agents.probe import slots, why_no_jail
from tasks.agents.selectors.runs import working_on
from tasks.agents.services import supervise
from tasks.agents.supervisor.following import Orders
from tasks.agents.supervisor.run_thread import RunThread

logger = logging.getLogger(__name__)

TAKE_SECONDS = 1.0
BEAT_SECONDS = 4.0
LEASE_SECONDS = 30.0
STRAYS_SECONDS = 60.0
STRAYS_OF = timedelta(days=1)
"""Runs that ended so long ago have no processes left, or none that are worth a look every minute."""
STOP_SECONDS = 2.5
"""All of `up` stops within five seconds."""


class Loop:
    """`board` returns the address of the site if it answers, else nothing."""

    def __init__(self, board: Callable[[], str], orders: Orders) -> None:
        self._board, self._orders = board, orders
        self._threads: dict[str, RunThread] = {}
        self._row = self._registered()
        self._due: dict[str, float] = {}
        self._strays = 0

    def run(self) -> None:
        """Supervise until the orders say to end the runs, or to leave them to the next supervisor."""
        wake = Event()
        while not (self._orders.end.is_set() or self._orders.leave.is_set()):
            try:
                self._look()
            except DatabaseError:
                logger.exception("The database does not answer; the next look will do it.")
            finally:
                connections.close_all()
            wake.wait(TAKE_SECONDS)
        self._stop()

    def _look(self) -> None:
        if read_only.is_on():
            return
        if self._is_due("beat", BEAT_SECONDS):
            self._beat()
            supervise.adopt(supervisor=self._row)
        if self._is_due("leases", LEASE_SECONDS):
            supervise.still_kept(Run.objects.filter(supervisor=self._row).select_related("session__project"))
        if self._is_due("strays", STRAYS_SECONDS):
            self._end_strays()
        board = self._take()
        self._start_threads(board)

    def _beat(self) -> None:
        facts = {"jail": why_no_jail() or "bwrap", "strays": self._strays, "runs": len(self._threads)}
        if not supervise.beat(supervisor=self._row, facts=facts):
            self._row = self._registered()

    def _take(self) -> str:
        """Take what may begin; return the address of the board."""
        # Read first: the address may change while it is asked, and a run that is queued then may need the new one.
        keys = list(Run.objects.filter(state=RunState.QUEUED).values_list("pk", flat=True))
        board = self._board() if self._threads or keys else ""
        queued = Run.objects.filter(state=RunState.QUEUED, pk__in=keys)
        if not board:
            queued.exclude(reason=NO_BOARD).update(reason=NO_BOARD)
        elif (room := slots(working_on(self._row.machine))) > 0:
            supervise.take(supervisor=self._row, slots=room, queued=queued)
        return board

    def _start_threads(self, board: str) -> None:
        """Give each of our runs a thread; one whose thread met a database that did not answer gets a new one."""
        self._threads = {name: thread for name, thread in self._threads.items() if thread.is_alive()}
        for run in Run.objects.filter(supervisor=self._row).select_related("task", "project", "plan", "session"):
            if run.public_id not in self._threads:
                thread = RunThread(run, board_url=board, orders=self._orders)
                self._threads[run.public_id] = thread
                thread.start()

    def _end_strays(self) -> None:
        ended = Run.objects.filter(machine=self._row.machine, state__in=ENDED, ended_at__gt=timezone.now() - STRAYS_OF)
        ids = set(ended.values_list("public_id", flat=True))
        found = processes.strays(ids)
        self._strays = len(processes.end_strays({each.run_id for each in found})) if found else 0
        if found:
            logger.warning("%d processes had outlived their runs; %d still do.", len(found), self._strays)

    def _stop(self) -> None:
        until = time.monotonic() + STOP_SECONDS
        for thread in self._threads.values():
            thread.join(max(0.0, until - time.monotonic()))
        supervise.leave(supervisor=self._row)
        connections.close_all()

    def _registered(self) -> Supervisor:
        return supervise.register(machine=platform.node(), pid=os.getpid())

    def _is_due(self, what: str, seconds: float) -> bool:
        now = time.monotonic()
        if now < self._due.get(what, 0.0):
            return False
        self._due[what] = now + seconds
        return True


NO_BOARD = "The site does not answer, so the agent could not deliver; it starts once the site does."
