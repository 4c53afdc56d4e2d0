"""The history of restarts, which is also how a process asks the supervisor of the site for one."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from orchestrator_site.models import Restart, RestartState

KEPT = 1000
_COLUMNS = ("who", "reason", "problem", "seconds", "calls_finished", "calls_cut_off")
_LENGTH = 200


def request_site_restart(*, who: str, reason: str = "") -> Restart:
    """Write down what the supervisor does next; a signal has to wake it."""
    return Restart.objects.create(
        is_of_site=True, who=who[:_LENGTH], reason=reason[:_LENGTH], state=RestartState.REQUESTED
    )


def requested_of_site() -> list[Restart]:
    return list(Restart.objects.filter(is_of_site=True, state=RestartState.REQUESTED).order_by("pk"))


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
