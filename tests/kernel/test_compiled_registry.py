"""Every compiled query of the product answers what its queryset answers, on whichever database the tests run."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from random import Random
from typing import Any

import pytest
from django.db import connections, transaction
from django.db.models import Field, Model, QuerySet
from django.utils import timezone

import artifacts
import maintenance
import tasks
from orchestrator_site.kernel.compiled import Compiled, Slot
from orchestrator_site.sample.load import load_sample
from tasks.identity.actor import Actor
from tasks.insights.services.learn import learn_all
from tasks.models import Task
from tests.factories import make_hold, make_resource

APPS = (tasks, artifacts, maintenance)
ENTRY_POINTS = ("admin", "api", "apps", "jobs", "management", "migrations", "urls", "views")
LISTS = {"candidates", "done", "keys", "known", "statuses", "tasks"}
TRIES = 12


def _import_all() -> None:
    for app in APPS:
        for module in pkgutil.walk_packages(app.__path__, f"{app.__name__}."):
            if module.name.split(".")[1] not in ENTRY_POINTS:
                import_module(module.name)


_import_all()
EVERY = list(Compiled.every)


def _named(compiled: Compiled[Any]) -> str:
    code = getattr(compiled.build, "__wrapped__", compiled.build).__code__
    return f"{code.co_filename.partition('/tasks/')[2] or code.co_filename.rpartition('/')[2]}:{code.co_firstlineno}"


pytestmark = pytest.mark.django_db
each_query = pytest.mark.parametrize("compiled", EVERY, ids=_named)


def _slots(compiled: Compiled[Any], alias: str = "default") -> dict[str, Field[Any, Any]]:
    """Return the field that each argument is compared with."""
    _, params = _compile(compiled.with_slots(_key(compiled, alias)), alias)
    return {param.name: param.compared_with for param in params if isinstance(param, Slot) and param.compared_with}


def _key(compiled: Compiled[Any], alias: str) -> tuple[Any, ...]:
    return alias, *(2 if name in LISTS else None for name in compiled.names)


def _compile(queryset: QuerySet[Any], alias: str) -> tuple[str, list[Any]]:
    sql, params = queryset.query.get_compiler(alias).as_sql()
    return sql.replace("(%s)", "%s"), list(params)


def _answers(compiled: Compiled[Any]) -> Iterator[tuple[dict[str, Any], list[Any]]]:
    """Ask the queryset with values that the database holds, mostly such as find something."""
    chance = Random(7)
    known = {name: _values(field) for name, field in _slots(compiled).items()}
    for _ in range(TRIES):
        values = {
            name: chance.sample(found, min(len(found), chance.choice((0, 1, 2, 3, 5, 9))))
            if name in LISTS
            else chance.choice(found)
            for name, found in known.items()
        }
        yield values, list(compiled.build(**values))


def _values(field: Field[Any, Any]) -> list[Any]:
    rows = field.model._default_manager.order_by().values_list(field.attname, flat=True).distinct()
    return sorted(value for value in rows if value is not None) or [1]


def _facts(row: Any) -> Any:
    if not isinstance(row, Model):
        return row
    facts = {name: value for name, value in vars(row).items() if name != "_state"}
    return facts | {name: _facts(related) for name, related in row._state.fields_cache.items()}


@pytest.fixture(scope="module")
def sample(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Fill the database for all tests of this module."""
    with django_db_blocker.unblock(), transaction.atomic():
        load_sample(actor=Actor(kind="person", name="ada"))
        for task in Task.objects.order_by("pk")[:4]:
            resource = make_resource(task.project, f"port-{task.pk}", task, capacity=3)
            make_hold(resource, task)
            make_hold(resource)
        Task.objects.filter(pk=task.pk).update(not_before=timezone.now())
        learn_all(seconds=30)
        yield
        transaction.set_rollback(True)


@each_query
def test_rows_are_those_of_the_queryset(compiled: Compiled[Any], sample: None) -> None:
    for values, expected in _answers(compiled):
        assert list(map(_facts, compiled(**values))) == list(map(_facts, expected)), values


@each_query
def test_sql_for_postgresql_is_that_of_the_queryset(
    compiled: Compiled[Any], sample: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    alias = "offline"
    monkeypatch.setitem(
        connections.settings, alias, {**connections.settings["default"], "ENGINE": "django.db.backends.postgresql"}
    )
    monkeypatch.setattr(connections[alias], "ensure_connection", lambda: None)
    known = {name: _values(field) for name, field in _slots(compiled).items()}
    values = {name: found[:2] if name in LISTS else found[0] for name, found in known.items()}
    expected = _compile(compiled.build(**values).using(alias), alias)
    sql, params = _compile(compiled.with_slots(_key(compiled, alias)), alias)
    bound = [each.value_in(values, connections[alias]) if isinstance(each, Slot) else each for each in params]
    del connections[alias]
    assert (sql, bound) == expected


def test_the_registry_is_not_empty() -> None:
    assert len(EVERY) > 20
