"""Compiled queries answer what their querysets answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connections, transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from orchestrator_site.kernel.compiled import Compiled, CompiledUpdate, insert
from tasks.choices import Status, Verb
from tasks.models import Dependency, Event, Project, Session, Task
from tests.factories import make_dependency, make_project, make_session, make_task

SHOP, PLAN, FIRST, SECOND, THIRD = range(1_000_000_000, 1_000_000_005)  # no sequence comes here
NOW = timezone.now()
Build = Callable[..., QuerySet[Any, Any]]

QUERIES: dict[str, tuple[Build, dict[str, Any]]] = {
    "models": (lambda project: Task.objects.filter(project=project), {"project": SHOP}),
    "joins": (lambda pk: Task.objects.select_related("project", "parent__root").filter(pk=pk), {"pk": FIRST}),
    "tuples": (lambda plan: Task.objects.filter(root=plan).values_list("pk", "title"), {"plan": PLAN}),
    "named tuples": (lambda pk: Task.objects.filter(pk=pk).values_list("pk", "title", named=True), {"pk": FIRST}),
    "single values": (lambda plan: Task.objects.filter(root=plan).values_list("public_id", flat=True), {"plan": PLAN}),
    "dictionaries": (lambda pk: Task.objects.filter(pk=pk).values("created_at", "project__settings"), {"pk": FIRST}),
    "a slice": (lambda plan: Task.objects.filter(root=plan).order_by("-position")[:2], {"plan": PLAN}),
    "a date": (lambda now: Task.objects.filter(created_at__lt=now), {"now": NOW + timedelta(hours=1)}),
    "a boolean": (lambda leaf: Task.objects.filter(is_leaf=leaf), {"leaf": False}),
    "JSON": (lambda settings: Project.objects.filter(settings=settings), {"settings": {"lease_minutes": 5}}),
    "a prefix": (lambda start: Task.objects.filter(title__startswith=start), {"start": "100%_"}),
    "counts": (
        lambda plan, status: (
            Task.objects.filter(root=plan)
            .order_by("status")
            .values_list("status")
            .annotate(alike=Count("pk", filter=Q(status=status)))
        ),
        {"plan": PLAN, "status": Status.COMPLETED},
    ),
    "an exclusion": (
        lambda plan, status: Task.objects.filter(root=plan).exclude(dependencies__depends_on__status=status),
        {"plan": PLAN, "status": Status.PENDING},
    ),
    "a subquery": (
        lambda plan, status: Task.objects.filter(root=plan).annotate(
            waits=Exists(Dependency.objects.filter(task=OuterRef("pk"), depends_on__status=status))
        ),
        {"plan": PLAN, "status": Status.PENDING},
    ),
    "a model": (lambda project: Task.objects.filter(project=project), {"project": Project(pk=SHOP)}),
    "an argument in two places": (lambda pk: Task.objects.filter(Q(pk=pk) | Q(root_id=pk)), {"pk": PLAN}),
    "arithmetic": (lambda more: Task.objects.filter(position__gt=F("depth") + more), {"more": 1}),
    "a list": (lambda keys: Task.objects.filter(pk__in=keys, is_leaf=True), {"keys": [FIRST, PLAN, THIRD]}),
    "a list of foreign keys": (lambda keys: Task.objects.filter(root__pk__in=keys), {"keys": (PLAN, FIRST)}),
    "an empty list": (lambda keys: Task.objects.filter(pk__in=keys), {"keys": []}),
    "an empty list or a value": (
        lambda keys, pk: Task.objects.filter(Q(pk__in=keys) | Q(pk=pk)),
        {"keys": [], "pk": FIRST},
    ),
}


@pytest.fixture(autouse=True)
def unregistered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Compiled, "every", [])


@pytest.fixture
def plan(db: None) -> Task:
    """Return a plan of three tasks, of which the second waits for the first, and the third for the second."""
    project = make_project(pk=SHOP, settings={"lease_minutes": 5})
    plan = make_task(project, pk=PLAN, is_leaf=False)
    first = make_task(project, pk=FIRST, parent=plan, position=1, status=Status.COMPLETED, title="100%_ done")
    second = make_task(project, pk=SECOND, parent=plan, position=2, title="100 ready")
    third = make_task(project, pk=THIRD, parent=plan, position=3, priority=4)
    make_dependency(second, first)
    make_dependency(third, second)
    return plan


@pytest.fixture
def databases(tmp_path: Path, django_db_blocker: Any) -> Iterator[list[str]]:
    """Return the aliases of two databases with a project each, named like its alias."""
    aliases = ["left", "right"]
    with django_db_blocker.unblock():
        for alias in aliases:
            options = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / alias)}
            connections.settings[alias] = {**connections.settings["default"], **options}
            with connections[alias].schema_editor() as editor:
                editor.create_model(Project)
            Project.objects.using(alias).create(pk=SHOP, slug=alias, name=alias)
        yield aliases
        for alias in aliases:
            connections[alias].close()
            del connections[alias], connections.settings[alias]


def _facts(rows: list[Any]) -> list[Any]:
    return [{**vars(row), "_state": None} if isinstance(row, Task | Project) else row for row in rows]


@pytest.mark.parametrize("name", QUERIES)
def test_returns_what_the_queryset_returns(name: str, plan: Task) -> None:
    build, values = QUERIES[name]
    compiled, expected = Compiled(build), _facts(list(build(**values)))
    assert [_facts(compiled(**values)) for _ in range(2)] == [expected, expected]
    assert expected or name == "an empty list"


def test_models_come_with_their_joins_and_know_their_database(
    plan: Task, django_assert_num_queries: Callable[..., Any]
) -> None:
    find = Compiled(lambda pk: Task.objects.select_related("project").filter(pk=pk))
    with django_assert_num_queries(1):
        [task] = find(pk=PLAN)
        assert task.project.settings == {"lease_minutes": 5}
    assert task._state.db == "default"
    assert not task._state.adding


def test_deferred_columns_are_read_when_they_are_asked_for(
    plan: Task, django_assert_num_queries: Callable[..., Any]
) -> None:
    find = Compiled(lambda pk: Task.objects.filter(pk=pk).only("title"))
    [task] = find(pk=SECOND)
    with django_assert_num_queries(1):
        assert (task.title, task.position) == ("100 ready", 2)


def test_the_queryset_is_built_once(plan: Task) -> None:
    built = []
    find = Compiled(lambda pk: built.append(pk) or Task.objects.filter(pk=pk))  # type: ignore[func-returns-value]
    assert [find(pk=pk)[0].pk for pk in (FIRST, SECOND, THIRD)] == [FIRST, SECOND, THIRD]
    assert len(built) == 1


def test_lists_of_similar_length_share_their_sql(plan: Task) -> None:
    built = []
    find = Compiled(lambda keys: built.append(len(keys)) or Task.objects.filter(pk__in=keys))  # type: ignore[func-returns-value]
    keys = range(PLAN, PLAN + 9)
    assert [len(find(keys=list(keys[:length]))) for length in range(10)] == [0, 1, 2, 3, 4, 4, 4, 4, 4, 4]
    assert built == [0, 1, 2, 4, 8, 16]


def test_each_database_answers_for_itself(databases: list[str]) -> None:
    find = Compiled(lambda pk: Project.objects.filter(pk=pk))
    rename = CompiledUpdate(lambda pk: Project.objects.filter(pk=pk))
    for alias in databases:
        [project] = find(alias, pk=SHOP)
        assert (project.name, project._state.db) == (alias, alias)
        assert rename({"name": f"{alias} too"}, alias, pk=SHOP) == 1
        insert(Project(slug="more", name=f"more {alias}"), using=alias)
    for alias in databases:
        names = Project.objects.using(alias).values_list("name", flat=True)
        assert sorted(names) == sorted([f"{alias} too", f"more {alias}"])


@pytest.mark.django_db(transaction=True)
def test_threads_share_what_was_compiled() -> None:
    projects = [make_project() for _ in range(6)]
    for project in projects:
        make_task(project)
    find = Compiled(lambda pk: Task.objects.select_related("project").filter(project=pk))

    def ask(project: Project) -> bool:
        try:
            return all(find(pk=project.pk)[0].project.slug == project.slug for _ in range(50))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(projects)) as threads:
        assert all(threads.map(ask, projects))


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"pk": None}, ValueError),
        ({"pk": "abc"}, ValueError),
        ({}, TypeError),
        ({"key": 1}, KeyError),
        ({"pk": 1, "key": 1}, TypeError),
    ],
)
def test_values_that_are_no_question(values: dict[str, Any], error: type[Exception], db: None) -> None:
    with pytest.raises(error):
        Compiled(lambda pk: Task.objects.filter(pk=pk))(**values)


def test_a_list_may_hold_no_none(db: None) -> None:
    with pytest.raises(ValueError, match="keys"):
        Compiled(lambda keys: Task.objects.filter(pk__in=keys))(keys=[1, None])


def test_prefetching_is_not_supported(db: None) -> None:
    with pytest.raises(TypeError):
        Compiled(lambda pk: Task.objects.filter(pk=pk).prefetch_related("children"))(pk=1)


def test_the_first_row_or_none(plan: Task) -> None:
    best = Compiled(lambda plan: Task.objects.filter(root=plan).order_by("-priority")[:1])
    assert best.first(plan=PLAN) == Task(pk=THIRD)
    assert best.first(plan=THIRD) is None


def test_an_update_sets_what_a_queryset_would(plan: Task) -> None:
    session = make_session(plan.project)
    update = CompiledUpdate(lambda pk, status: Task.objects.filter(pk=pk, status=status))
    lease = {"lease_session": session, "lease_expires_at": NOW, "lease_number": 1, "status": Status.ACTIVE}
    assert update(lease, pk=SECOND, status=Status.PENDING) == 1
    assert update({"status": Status.CANCELLED}, pk=SECOND, status=Status.PENDING) == 0
    assert update({**lease, "lease_expires_at": NOW + timedelta(1)}, pk=SECOND, status=Status.ACTIVE) == 1
    task = Task.objects.get(pk=SECOND)
    assert (task.lease_session_id, task.lease_expires_at, task.status) == (session.pk, NOW + timedelta(1), "active")
    gone = {"lease_session": None, "lease_expires_at": None, "status": Status.PENDING}
    assert update(gone, pk=SECOND, status=Status.ACTIVE) == 1
    assert Task.objects.filter(lease_session__isnull=True, lease_expires_at__isnull=True, pk=SECOND).exists()


def test_an_update_writes_json_and_may_look_at_other_tables(plan: Task) -> None:
    update = CompiledUpdate(lambda title: Project.objects.filter(tasks__title=title))
    assert update({"settings": {"review": True}}, title="100 ready") == 1
    assert Project.objects.get(pk=SHOP).settings == {"review": True}


def test_what_the_database_refuses_undoes_the_transaction(plan: Task) -> None:
    update = CompiledUpdate(lambda pk: Task.objects.filter(pk=pk))
    for refused in (lambda: update({"title": ""}, pk=PLAN), lambda: insert(Session(public_id="x", project_id=None))):
        with pytest.raises(DatabaseError), transaction.atomic():
            try:
                refused()
            except DatabaseError:
                Task.objects.exists()  # no longer possible
        assert Task.objects.filter(pk=PLAN).exclude(title="").exists()


def test_new_rows_get_their_keys_in_order(plan: Task) -> None:
    events = [
        Event(project=plan.project, task=plan, verb=Verb.EDIT, actor_kind="person", actor_name=name, after={"by": name})
        for name in ("ada", "bob", "eve")
    ]
    insert(events[0])
    insert(*events[1:])
    assert sorted(event.pk for event in events) == [event.pk for event in events]
    assert [(event._state.adding, event._state.db) for event in events] == [(False, "default")] * 3
    assert list(Event.objects.values_list("pk", "after__by")) == [(event.pk, event.actor_name) for event in events]


def test_every_query_is_registered(db: None) -> None:
    find = Compiled(lambda pk: Task.objects.filter(pk=pk))
    update = CompiledUpdate(lambda pk: Task.objects.filter(pk=pk))
    assert Compiled.every == [find, update.rows]
