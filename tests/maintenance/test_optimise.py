"""Optimising: what has expired goes, sizes are known before and after, and no one has to wait for it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from artifacts.models import SearchDocument
from maintenance.services.optimise import optimise, sizes
from tasks.models import IdempotencyKey, Task
from tests.conftest import IS_SQLITE
from tests.factories import make_plan, make_project

pytestmark = pytest.mark.django_db(transaction=True)
on_sqlite = pytest.mark.skipif(not IS_SQLITE, reason="SQLite's own files")


def log() -> Path:
    return Path(f"{settings.DATABASES['default']['NAME']}-wal")


def test_expired_keys_are_deleted_and_counted() -> None:
    project, old = make_project(), timezone.now() - timedelta(days=8)
    IdempotencyKey.objects.create(project=project, operation="plan", key="old", created_at=old)
    IdempotencyKey.objects.create(project=project, operation="plan", key="new")
    assert optimise().keys == 1
    assert IdempotencyKey.objects.get().key == "new"


def test_sizes_before_and_after_are_in_the_result() -> None:
    make_plan(make_project(), 20)
    done = optimise()
    assert done.before.database > 0
    assert done.after == sizes()
    assert str(done).endswith(".")


@on_sqlite
def test_the_log_is_emptied_where_no_one_reads() -> None:
    make_plan(make_project(), 20)
    assert sizes().log > 0
    assert optimise().after.log == 0


@on_sqlite
def test_a_reader_keeps_the_log_and_is_not_waited_for() -> None:
    make_plan(make_project(), 20)
    with closing(sqlite3.connect(settings.DATABASES["default"]["NAME"])) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM tasks_task").fetchone()
        make_plan(make_project(), 20)
        assert optimise().after.log > 0
    assert optimise().after.log == 0


@on_sqlite
def test_the_search_index_is_merged_and_finds_the_same() -> None:
    for _ in range(8):
        make_plan(make_project(), 2)
    question = "SELECT count(*) FROM artifacts_searchindex WHERE artifacts_searchindex MATCH 'task'"
    with connection.cursor() as cursor:
        before = cursor.execute(question).fetchone()
        assert optimise().merges > 0
        assert cursor.execute(question).fetchone() == before
    assert optimise().merges == 0


@on_sqlite
def test_the_timeout_of_the_connection_is_as_before() -> None:
    with connection.cursor() as cursor:
        before = cursor.execute("PRAGMA busy_timeout").fetchone()
        optimise()
        assert cursor.execute("PRAGMA busy_timeout").fetchone() == before


def test_it_leaves_what_people_made() -> None:
    make_plan(make_project(), 3)
    before = list(Task.objects.order_by("pk").values())
    documents = SearchDocument.objects.count()
    optimise()
    assert (list(Task.objects.order_by("pk").values()), SearchDocument.objects.count()) == (before, documents)
