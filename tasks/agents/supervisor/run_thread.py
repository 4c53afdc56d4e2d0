"""One run from the queue to its end, in a thread of its own."""

from __future__ import annotations

import logging
from threading import Thread

from django.db import DatabaseError, connections

from orchestrator_site.kernel.errors import OrchestratorError
from tasks.agents import processes
from tasks.agents.adapters import ADAPTERS
from tasks.agents.adapters.events import Reason
from tasks.agents.brief import FOLLOW_UP
from tasks.agents.choices import RunState
from tasks.agents.models import Attempt, Run
from tasks.agents.selectors.isolation import isolation_of
from tasks.agents.services.supervise import SUPERVISOR
from tasks.agents.services.transitions import NotKept, move
from tasks.agents.supervisor import finishing
from tasks.agents.supervisor.following import Follower, Left, Orders, Over
from tasks.agents.supervisor.launching import Started, again, launch

logger = logging.getLogger(__name__)

GRACE_SECONDS = 5.0
HURRIED_SECONDS = 1.0
"""How long an agent may take to exit where the whole server is stopping, and would be killed soon."""


class RunThread(Thread):
    """Does what a run's state asks for, until it has ended or another supervisor has it."""

    def __init__(self, run: Run, *, board_url: str, orders: Orders) -> None:
        super().__init__(name=run.public_id, daemon=True)
        self.run_row, self._board_url, self._orders = run, board_url, orders

    def run(self) -> None:
        try:
            self._do()
        except Left:
            logger.info("%s goes on without this supervisor.", self.name)
        except NotKept:
            logger.warning("%s is another supervisor's now.", self.name)
        except DatabaseError:
            logger.exception("%s waits for the next look.", self.name)
        except Exception:  # the outermost edge of a thread: the run must not seem to be at work forever
            logger.exception("%s failed.", self.name)
            self._fail("The supervisor failed; the server's log says why.")
        finally:
            connections.close_all()

    def _do(self) -> None:
        run = self.run_row
        if run.state == RunState.COLLECTING:
            finishing.collect(run, run.attempts.latest("number"), self._orders)
            return
        try:
            started = self._launched() if run.state == RunState.PREPARING else again(run)
        except OrchestratorError as error:
            self._fail(f"{error.message} {error.next}".strip())
            return
        self._follow(started)

    def _launched(self) -> Started:
        processes.end_strays([self.name])  # what a supervisor that was killed here may have begun
        return launch(self.run_row, board_url=self._board_url)

    def _follow(self, started: Started) -> None:
        run = self.run_row
        _, settings = isolation_of(run.project)
        over = Over()
        if run.state != RunState.STOPPING:
            over = Follower(run, started, settings, self._orders).follow()
            if over.state is None and (further := self._asked_to_deliver(started)):
                self._follow(further)
                return
        grace = HURRIED_SECONDS if self._orders.end.is_set() else GRACE_SECONDS
        code = finishing.stop(run, started.process, started.conversation, over, grace=grace)
        outcome = finishing.judge(run, started.attempt, started.process, started.conversation, code)
        finishing.conclude(run, started.attempt, outcome, code)
        if run.state == RunState.COLLECTING:
            finishing.collect(run, started.attempt, self._orders)

    def _asked_to_deliver(self, started: Started) -> Started | None:
        """Start an agent once more that ended well without a delivery, and takes no message any longer."""
        run, attempt = self.run_row, started.attempt
        ended = processes.end(started.process, grace=GRACE_SECONDS)
        outcome = finishing.judge(run, attempt, started.process, started.conversation, ended.exit_code)
        if outcome.reason != Reason.NO_DELIVERY or attempt.follow_ups or not ADAPTERS[run.agent].supports.resume:
            return None
        finishing.close(attempt, RunState.FAILED, "It ended without a delivery.", ended.exit_code)
        return launch(run, board_url=self._board_url, say=FOLLOW_UP)

    def _fail(self, reason: str) -> None:
        """End a run that could not even start, or whose supervisor failed."""
        run = self.run_row
        processes.end_strays([self.name])
        attempt = run.attempt or Attempt.objects.create(run=run, number=1)
        attempt.run = run
        finishing.close(attempt, RunState.FAILED, reason, attempt.exit_code)
        if run.state != RunState.COLLECTING:
            if run.state != RunState.PREPARING and run.state != RunState.STOPPING:
                move(run, RunState.STOPPING, actor=SUPERVISOR, reason=reason)
            move(run, RunState.COLLECTING, actor=SUPERVISOR, reason=reason)
        finishing.collect(run, attempt, self._orders)
