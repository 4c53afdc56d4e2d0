"""Databases of the first days: some of their migrations were edited, put in between or renamed after they were applied.

What they lack is added in the transaction of the upgrade; from then on they are like all others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Exists, OuterRef

from maintenance.upgrades.newer import Name, columns_of, require_columns

_TASKS = ("tasks", "0001_initial")
_FRAMES, _UPLOADS = ("artifacts", "0002_frames"), ("artifacts", "0003_uploads")
_PATHS, _ANSWERS = ("tasks", "0008_paths_and_marks_of_projects"), ("tasks", "0009_plan_activity_and_answers")
_ANSWERS_AT_FIRST = ("tasks", "0008_plan_activity_and_answers")


class _Close(Protocol):
    def __call__(self, connection: BaseDatabaseWrapper, loader: MigrationLoader) -> None: ...


@dataclass(frozen=True, slots=True)
class Gap:
    """What a database lacks although a migration that brings it counts as applied, and how to add it."""

    name: str
    close: _Close


def plan_of(connection: BaseDatabaseWrapper) -> tuple[MigrationExecutor, list[Gap]]:
    """Return what plans an upgrade from the state in which the gaps are closed, and the gaps, usually none."""
    executor = MigrationExecutor(connection)
    applied: dict[Name, Any] = executor.loader.applied_migrations
    gaps = list(_gaps(connection, applied)) if connection.vendor == "sqlite" else []
    if gaps and _UPLOADS in applied:
        applied.setdefault(_FRAMES, None)
    if gaps and _ANSWERS_AT_FIRST in applied:
        applied[_ANSWERS] = applied.pop(_ANSWERS_AT_FIRST)
        applied.setdefault(_PATHS, None)
    return executor, gaps


def _gaps(connection: BaseDatabaseWrapper, applied: dict[Name, Any]) -> Iterator[Gap]:
    if _TASKS in applied and "is_ready" not in columns_of(connection, "tasks_task"):
        yield Gap("tasks_task.is_ready", _add_marks_of_ready_tasks)
    if _TASKS in applied and "selected_at" not in columns_of(connection, "tasks_session"):
        yield Gap("tasks_session.selected_at", partial(_add_column, model=("tasks", "session"), field="selected_at"))
    if _UPLOADS in applied and _FRAMES not in applied:
        yield Gap(".".join(_FRAMES), partial(_apply_late, migration=_FRAMES))
    if _FRAMES in applied and "created_at" in columns_of(connection, "artifacts_content"):
        yield Gap("artifacts_content.stored_as", _add_names_of_content)
    if _ANSWERS_AT_FIRST in applied:
        yield Gap(".".join(_PATHS), _apply_paths_late)


def _add_column(connection: BaseDatabaseWrapper, loader: MigrationLoader, *, model: Name, field: str) -> Any:
    """Add a column with its default. SQLite makes the table again, with the indexes and constraints of today."""
    applied = [name for name in loader.applied_migrations if name in loader.graph.nodes]
    apps = loader.project_state(applied).apps
    found = apps.get_model(*model)
    require_columns(connection, [found], but=f"{found._meta.db_table}.{field}")
    with connection.schema_editor() as editor:
        editor.add_field(found, found._meta.get_field(field))
    return apps


def _add_marks_of_ready_tasks(connection: BaseDatabaseWrapper, loader: MigrationLoader) -> None:
    apps = _add_column(connection, loader, model=("tasks", "task"), field="is_ready")
    open_ones = apps.get_model("tasks", "Dependency").objects.exclude(depends_on__status="completed")
    tasks = apps.get_model("tasks", "Task").objects.filter(archived_at=None, is_leaf=True)
    tasks.filter(status__in=["pending", "needs_revision"]).update(
        is_ready=~Exists(open_ones.filter(task=OuterRef("pk")))
    )


def _add_names_of_content(connection: BaseDatabaseWrapper, loader: MigrationLoader) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE artifacts_content RENAME COLUMN created_at TO stored_at")
    _add_column(connection, loader, model=("artifacts", "content"), field="stored_as")


def _apply_late(connection: BaseDatabaseWrapper, loader: MigrationLoader, *, migration: Name) -> None:
    """Apply a migration that was put before others later; those have not touched its tables."""
    found, state = loader.graph.nodes[migration], loader.project_state(migration, at_end=False)
    touched = {(found.app_label, getattr(each, "model_name", "").lower()) for each in found.operations}
    require_columns(connection, [state.apps.get_model(*each) for each in touched & state.models.keys()])
    with connection.schema_editor() as editor:
        found.apply(state, editor)
    MigrationRecorder(connection).record_applied(*migration)


def _apply_paths_late(connection: BaseDatabaseWrapper, loader: MigrationLoader) -> None:
    _apply_late(connection, loader, migration=_PATHS)
    recorder = MigrationRecorder(connection)
    recorder.record_unapplied(*_ANSWERS_AT_FIRST)
    recorder.record_applied(*_ANSWERS)
