"""Holds what an operation does in its midst, where the test asks for that."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.conf import settings

from tests.maintenance import trial


class Trial(AppConfig):
    name = "tests.maintenance.trial"

    def ready(self) -> None:
        from maintenance.services import coordinate, proposals

        coordinate.archivable = hold_after(coordinate.archivable, "find")
        proposals.TOGETHER = 20  # or all that the test archives would be one batch
        proposals.archive_plans = hold_after(proposals.archive_plans, "archive")


def hold_after(act: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Let a function wait at its end, in the call whose number the file of this name holds."""
    home, calls = Path(settings.ORCHESTRATOR_HOME), count(1)

    def and_wait(*arguments: Any, **named: Any) -> Any:
        result = act(*arguments, **named)
        if (home / name).exists() and next(calls) == int((home / name).read_text()):
            trial.note(home, name)
            trial.wait(home)
        return result

    return and_wait
