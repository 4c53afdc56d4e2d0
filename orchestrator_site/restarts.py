"""The history of restarts, which is also how a process asks the supervisor of the site for one."""

from __future__ import annotations

import os
from typing import Any

from django.utils import timezone

from orchestrator_site.kernel import read_only
from orchestrator_site.models import Restart, RestartState

KEPT = 1000
_COLUMNS = ("who", "reason", "problem", "seconds", "calls_finished", "calls_cut_off")
REASON = _LENGTH = 200


def request_of_site(*, supervisor: int, who: str, reason: str = "", **wanted: Any) -> Restart:
    """Write down what a supervisor, by its process id, does as soon as a signal wakes it.

    `wanted` may hold `timeout`, in seconds for requests in flight, and `is_trial`, to leave all as it is. While the
    database is read-only, which another version may end, the signal has to do.
    """
    request = Restart(
        is_of_site=True,
        who=who[:_LENGTH],
        reason=reason[:_LENGTH],
        state=RestartState.REQUESTED,
        facts={"supervisor": supervisor, **wanted},
    )
    if not read_only.is_on():
        request.save()
    return request


def take_requests() -> list[Restart]:
    """Return what this supervisor was asked for; a signal alone is a request too."""
    waiting = Restart.objects.filter(is_of_site=True, state=RestartState.REQUESTED, facts__supervisor=os.getpid())
    return list(waiting.order_by("pk")) or [request_of_site(supervisor=os.getpid(), who="system", reason="signal")]


def finish_since(requests: list[Restart], facts: dict[str, Any]) -> None:
    """Finish restarts of the site, each of which took since it was asked for."""
    for restart in requests:
        seconds = max(0.0, (timezone.now() - restart.requested_at).total_seconds())
        finish(restart, {"seconds": round(seconds, 3), **restart.facts, **facts})


def count_calls(done: list[Restart], finished: int, cut_off: int) -> None:
    keys = [restart.pk for restart in done]
    Restart.objects.filter(pk__in=keys).update(calls_finished=finished, calls_cut_off=cut_off)


def finish(restart: Restart, facts: dict[str, Any]) -> None:
    """Write down what became of a restart: `problem` where it failed, and what was measured."""
    for name in _COLUMNS:
        if facts.get(name) is not None:
            setattr(restart, name, facts[name])
    restart.who, restart.reason = restart.who[:_LENGTH], restart.reason[:_LENGTH]
    restart.state = RestartState.FAILED if restart.problem else RestartState.DONE
    restart.facts = {name: value for name, value in facts.items() if name not in _COLUMNS and name != "lists"}
    restart.save()
    Restart.objects.filter(pk__lte=restart.pk - KEPT).delete()


def record_of_connection(facts: dict[str, Any]) -> None:
    finish(Restart(is_of_site=False, requested_at=timezone.now()), facts)


def latest(number: int) -> list[Restart]:
    return list(Restart.objects.all()[:number])
