"""`manage.py artifacts reindex`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from artifacts.search.index import reindex

HELP = "write what search knows anew, from what is stored; searching goes on meanwhile"


def options(parser: CommandParser) -> None:
    """It takes none."""


def run(**given: Any) -> str:
    """Index everything, and say how much that was."""
    return f"Indexed {reindex():,} tasks and artifacts."
