"""Jobs that do what jobs may do to a worker. Only clusters of the trial import them: importing registers them."""

from __future__ import annotations

import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

from django.conf import settings

from maintenance.registry import Body, job
from tests.maintenance import trial

HOME = Path(settings.ORCHESTRATOR_HOME)


def note(name: str) -> str:
    return f"Noted {name}."


def fail(name: str) -> str:
    raise OSError("the disk is full")


def wait(name: str) -> str:
    trial.wait(HOME)
    return "Waited."


def hang(name: str) -> str:
    while True:
        signal.pause()


def hang_on(name: str) -> str:
    """Hang and swallow what should end it."""
    while True:
        try:
            signal.pause()
        except BaseException:  # noqa: BLE001
            continue


def _noted(name: str, act: Callable[[str], str]) -> str:
    trial.note(HOME, name)
    return act(name)


def _body(name: str) -> Body:
    return partial(_noted, name, globals()[name.rstrip("_0123456789")])


for _name, _timeout in trial.TIMEOUTS.items():
    job(_name, every=trial.DAY, timeout=_timeout)(_body(_name))
