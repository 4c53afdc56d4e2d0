"""`manage.py artifacts reindex`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from artifacts.search.index import reindex

HELP = "rebuild the search index from what is stored; search keeps working"


def options(parser: CommandParser) -> None:
    """Take no options."""


def run(**given: Any) -> str:
    return f"Indexed {reindex():,} tasks and artifacts."
