"""The web server as the process that serves a caller: its supervisor restarts it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from orchestrator_site import restarts
from orchestrator_site.asgi.event_hub import EventHub
from orchestrator_site.kernel import read_only
from orchestrator_site.kernel.polling import poll
from orchestrator_site.models import Restart, RestartState
from orchestrator_site.up.pdeathsig import OPTION
from orchestrator_site.up.restart import LONGEST_PAUSE_SECONDS, START_SECONDS

WAIT_SECONDS = START_SECONDS + LONGEST_PAUSE_SECONDS
LEAST_SECONDS = 1.0
"""For the answer to the call that asks."""
POLL_SECONDS = 0.05


class SiteServing:
    def __init__(self, supervisor: int, in_flight: Callable[[], int]) -> None:
        self._supervisor = supervisor
        self._in_flight = in_flight

    @property
    def in_flight(self) -> int:
        return self._in_flight()

    def restart(self, *, timeout: float, is_trial: bool, reason: str, who: str) -> dict[str, Any]:
        if is_trial and read_only.is_on():  # a signal alone would not say so
            raise read_only.refused()
        wanted = {"timeout": max(timeout, LEAST_SECONDS), "is_trial": is_trial}
        facts = ask_supervisor(self._supervisor, who=who, reason=reason, **wanted)
        return {name: fact for name, fact in facts.items() if name not in ("supervisor", *wanted)}


def ask_supervisor(supervisor: int, *, who: str, reason: str, **wanted: Any) -> dict[str, Any]:
    """Have a supervisor restart its children; return what was measured, or `{"problem": why, "retry_after_ms"}`."""
    request = begin_restart(supervisor, who=who, reason=reason, **wanted)
    if request is None or not has_ended(request, within=WAIT_SECONDS):
        if request is not None and request.pk:
            request.delete()
        return {"problem": "The supervisor of the site did not answer."}
    if not request.pk:
        return {"old_pid": os.getpid()}
    if wanted.get("is_trial"):
        request.delete()  # it changed nothing
    about = {"problem": request.problem} if request.problem else {"seconds": request.seconds}
    return {**request.facts, **about}


def begin_restart(supervisor: int, *, who: str, reason: str, **wanted: Any) -> Restart | None:
    """Ask a supervisor, and do not wait for it; None where it has gone.

    While the database is read-only nothing is recorded, and what is returned has no key.
    """
    request = restarts.request_of_site(supervisor=supervisor, who=who, reason=reason, **wanted)
    try:
        os.kill(supervisor, signal.SIGHUP)
    except ProcessLookupError:
        if request.pk:
            request.delete()
        return None
    return request


def has_ended(request: Restart, *, within: float) -> bool:
    """Wait for so many seconds at most, and bring what was asked for up to date."""
    return poll(lambda: _is_final(request), seconds=within, interval=POLL_SECONDS)


def _is_final(request: Restart) -> bool:
    if not request.pk:
        return EventHub.is_over  # another web server has taken over from this one
    request.refresh_from_db()
    return request.state != RestartState.REQUESTED


def own_supervisor() -> int | None:
    """Return the supervisor that started this process; None where there is none, or none that a signal reaches."""
    named = next((word for word in sys.argv if word.startswith(OPTION)), "")
    return int(named.removeprefix(OPTION).partition(":")[0]) if named and hasattr(signal, "SIGHUP") else None
