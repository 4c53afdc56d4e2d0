"""What property tests share: how many examples they may take, and rows that one example does not leave to the next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.db import transaction
from hypothesis import settings

Rows = dict[str, list[dict[str, Any]]]
# When somebody was last seen is no change of the board.
_PRESENCE = frozenset({"last_seen_at"})


def one_in(part: int, **options: Any) -> settings:
    """Return the profile with fewer examples, for tests whose examples are long."""
    return settings(max_examples=max(5, settings().max_examples // part), **options)


@contextmanager
def undone() -> Iterator[None]:
    """Run an example and take back every row that it wrote."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def all_rows() -> Rows:
    """Return every row of the domain, to be compared with what is there later."""
    models = [*apps.get_app_config("tasks").get_models(), *apps.get_app_config("artifacts").get_models()]
    return {model.__name__: [_facts(row) for row in model.objects.order_by("pk").values()] for model in models}


def _facts(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in _PRESENCE}
