"""Where the app that keeps mirrors is told that a project has one: `tasks` knows nothing above itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from django.db import transaction

from tasks.models import Project

Begin = Callable[[int], None]
"""Brings the mirror of a project up to date, by the project's primary key. Called outside any transaction."""

_offered: list[Begin] = []


def offer_mirrors(begin: Begin) -> None:
    """Let the app that keeps mirrors plug in."""
    _offered[:] = [begin]


def begin_mirror(project: Project) -> None:
    """Have a project's mirror, where it has one, brought up to date as soon as what is being changed is stored."""
    if project.settings.get("mirror"):
        for begin in _offered:
            transaction.on_commit(partial(begin, project.pk), robust=True)
