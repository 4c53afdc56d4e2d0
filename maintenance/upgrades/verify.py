"""Check the database without changing it."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import DatabaseError, IntegrityError
from django.db.backends.base.base import BaseDatabaseWrapper

from maintenance.upgrades.early import plan_of
from maintenance.upgrades.failure import failures
from maintenance.upgrades.history import changed_files
from maintenance.upgrades.newer import unknown_migrations
from maintenance.upgrades.plan import steps_of
from maintenance.upgrades.upgrade import check


@dataclass(frozen=True, slots=True)
class Verified:
    """What is wrong, and what only should be looked at, each as a sentence."""

    problems: list[str]
    warnings: list[str]


def verify(connection: BaseDatabaseWrapper) -> Verified:
    """Check the file, its foreign keys, its migrations and their files."""
    try:
        return _verified(connection)
    except DatabaseError as error:
        return Verified([f"The database cannot be read: {error}"], [])


def _verified(connection: BaseDatabaseWrapper) -> Verified:
    executor, gaps = plan_of(connection)
    problems = [f"Unknown to this version: {'.'.join(name)}." for name in unknown_migrations(executor.loader)]
    problems += [f"The last upgrade failed: {each.problem}" for each in failures(connection)[-1:]]
    try:
        check(connection)
    except IntegrityError as error:
        problems.append(str(error))
    warnings = [f"Not applied yet: {step.name}." for step in steps_of(executor)]
    warnings += [f"An upgrade adds it, as it was added to an early migration: {gap.name}." for gap in gaps]
    warnings += [f"Its file has changed since it was applied: {name}." for name in changed_files(connection)]
    return Verified(problems, warnings)
