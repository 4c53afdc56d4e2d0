"""What property tests share: how many examples they may take, and rows that one example does not leave to the next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

from django.apps import apps
from django.db import connection, transaction
from django.db.models import Model
from hypothesis import settings

from tasks.choices import Status
from tasks.models import Dependency, Task

Rows = dict[str, list[dict[str, Any]]]
# When someone was last seen, or bytes were last sent, is no change of the board.
_PRESENCE = frozenset({"last_seen_at", "stored_at"})


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
    labels = ("tasks", "artifacts", "agents", "library", "insights")
    models = chain.from_iterable(apps.get_app_config(label).get_models() for label in labels)
    return {model.__name__: _rows_of(model) for model in models}


def _rows_of(model: type[Model]) -> list[dict[str, Any]]:
    """Read the rows past the models: an example asks for them at every step."""
    columns = [field.column for field in model._meta.local_fields if field.name not in _PRESENCE]
    quoted = map(connection.ops.quote_name, columns)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(quoted)} FROM {model._meta.db_table} ORDER BY {model._meta.pk.column}")
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def line_of(task: Task) -> Iterator[Task]:
    """Yield a task and every parent above it."""
    yield task
    while task.parent is not None:
        task = task.parent
        yield task


def open_needs(task: Task) -> set[str]:
    """Return the ids of what a task still waits for, itself or because one of its parents does.

    It looks at what was asked for alone, not at the rows that say what is inherited.
    """
    asked_for = Dependency.objects.filter(task__in=list(line_of(task)), inherited_from__isnull=True)
    return set(asked_for.exclude(depends_on__status=Status.COMPLETED).values_list("depends_on__public_id", flat=True))
