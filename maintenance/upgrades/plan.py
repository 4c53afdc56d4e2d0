"""What an upgrade would do: its migrations, the hashes of their files, and what of them removes or narrows."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.db import migrations
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

_WIDER = [
    ("BooleanField", "PositiveSmallIntegerField", "SmallIntegerField", "IntegerField", "BigIntegerField"),
    ("PositiveSmallIntegerField", "PositiveIntegerField", "PositiveBigIntegerField", "BigIntegerField"),
    ("CharField", "TextField"),
    ("SlugField", "CharField", "TextField"),
    ("AutoField", "BigAutoField"),
]
"""Each kind of column holds what those before it in its row can."""
_LIMITS = ("max_length", "max_digits", "decimal_places")
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Step:
    """A migration that is missing; `harms` says in words what it removes or narrows."""

    migration: migrations.Migration
    harms: list[str]

    @property
    def name(self) -> str:
        return str(self.migration)


def steps_of(executor: MigrationExecutor) -> list[Step]:
    """Return what is missing, in order. A database without tables has nothing to lose."""
    plan = [migration for migration, _ in executor.migration_plan(executor.loader.graph.leaf_nodes())]
    if not plan:
        return []
    applied = [name for name in executor.loader.applied_migrations if name in executor.loader.graph.nodes]
    state = executor.loader.project_state(applied) if applied else ProjectState()
    made: set[Key] = set()
    return [Step(each, list(harms_of(each, state, made)) if applied else []) for each in plan]


def sql_of(executor: MigrationExecutor, step: Step) -> list[str]:
    plan: Any = [(step.migration, False)]
    return executor.loader.collect_sql(plan)


def checksum(migration: migrations.Migration) -> str:
    """Return the hash of its file, whatever its ends of lines."""
    file = sys.modules[type(migration).__module__].__file__ or ""
    return sha256(Path(file).read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def digest(loader: MigrationLoader) -> str:
    """Return what tells the migrations of one version of the product from those of another."""
    found = sorted(f"{each} {checksum(each)}" for each in loader.disk_migrations.values())
    return sha256("\n".join(found).encode()).hexdigest()


def harms_of(migration: migrations.Migration, state: ProjectState, made: set[Key]) -> Iterator[str]:
    for operation in migration.operations:
        yield from _harms(operation, migration.app_label, state, made)
        operation.state_forwards(migration.app_label, state)


def _harms(operation: Operation, app: str, state: ProjectState, made: set[Key]) -> Iterator[str]:
    """Name what an operation takes from a table that is there before the upgrade; `made` gets those that are not."""
    match operation:
        case migrations.CreateModel():
            made.add((app, operation.name_lower))
        case migrations.RenameModel() if (app, operation.old_name_lower) in made:
            made.add((app, operation.new_name_lower))
        case migrations.DeleteModel() if (app, operation.name_lower) not in made:
            yield f"deletes {operation.name} with all rows"
        case migrations.RemoveField() if (app, operation.model_name_lower) not in made:
            yield f"removes {operation.model_name}.{operation.name}"
        case migrations.AlterField() if (app, operation.model_name_lower) not in made:
            old = state.models[app, operation.model_name_lower].fields[operation.name]
            if how := _narrows(old, operation.field):
                yield f"narrows {operation.model_name}.{operation.name} ({how})"
        case migrations.RunSQL() if operation.sql:
            yield "runs SQL"
        case migrations.SeparateDatabaseAndState():
            for each in operation.database_operations:
                yield from _harms(each, app, state, made)


def _narrows(old: Any, new: Any) -> str:
    kinds = old.get_internal_type(), new.get_internal_type()
    if kinds[0] != kinds[1] and not any(_is_wider(row, *kinds) for row in _WIDER):
        return f"{kinds[0]} becomes {kinds[1]}"
    if old.null and not new.null:
        return "not null"
    if new.unique and not old.unique:
        return "unique"
    for limit in _LIMITS:
        before, after = getattr(old, limit, None), getattr(new, limit, None)
        if after is not None and (before is None or after < before):
            return f"{limit} {after}"
    return ""


def _is_wider(row: tuple[str, ...], old: str, new: str) -> bool:
    return old in row and new in row and row.index(old) < row.index(new)
