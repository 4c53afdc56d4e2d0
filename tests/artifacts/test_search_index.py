"""The index stays true: through crashes, upgrades, rebuilt tables, and everything that is deleted."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import CharField

from artifacts.models import Artifact, Kind, SearchBacklog, SearchDocument
from artifacts.search import index
from artifacts.search.documents import PIECE, PIECES
from artifacts.search.service import search
from maintenance.registry import jobs
from maintenance.upgrades.upgrade import upgrade
from tasks.models import Project, Task
from tests.assistants import Assistant

LONG = "filler words " * 20_000


def total(query: str) -> int:
    return search(query, project=None).total


def long_work(ada: Assistant, *, kept: str = "needle", task: str = "") -> str:
    """Deliver a work that is kept in a file, with a word at its end."""
    done = ada.complete(task or ada.plan("A")["A"], detailed_work=f"{LONG} {kept}")
    return str(done["artifact_info"]["artifact_id"])


@pytest.mark.django_db(transaction=True)
def test_a_long_artifact_is_indexed_when_its_delivery_holds(ada: Assistant) -> None:
    long_work(ada)
    assert total("needle") == 1
    assert search("needle", project=None).hits[0].snippet.offset > len(LONG) - 200
    assert not SearchBacklog.objects.exists()


def test_a_delivery_that_was_cut_off_is_indexed_by_the_job(ada: Assistant) -> None:
    long_work(ada)  # the transaction of the test does not end, so nothing runs after it
    assert total("needle") == 0
    assert SearchBacklog.objects.count() == 1
    assert jobs()["index_search"].body() == "Indexed 1 tasks and artifacts."
    assert total("needle") == 1
    assert not SearchBacklog.objects.exists()


def test_a_newer_version_wins_over_one_that_is_being_indexed(ada: Assistant, monkeypatch: pytest.MonkeyPatch) -> None:
    task = ada.plan("A")["A"]
    long_work(ada, kept="zebras", task=task)
    real = index._pieces

    def overtaken(work: Any, version: Any) -> Any:
        monkeypatch.setattr(index, "_pieces", real)
        ada.call("update_task", task_id=task, action="request_revision", reason="Fix it")
        ada.complete(task, detailed_work="giraffes")
        return real(work, version)

    monkeypatch.setattr(index, "_pieces", overtaken)
    index.catch_up()
    index.catch_up()
    assert (total("zebras"), total("giraffes")) == (0, 1)
    assert not SearchBacklog.objects.exists()


def test_an_artifact_that_shrinks_leaves_no_words_behind(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    long_work(ada, task=task)
    index.catch_up()
    ada.call("update_task", task_id=task, action="request_revision", reason="Fix it")
    ada.complete(task, detailed_work="short")
    assert total("needle") == total("filler") == 0
    assert SearchDocument.objects.filter(artifact__isnull=False).count() == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("size", [10, 100_000])
def test_a_task_that_is_renamed_gives_its_artifact_the_new_name(ada: Assistant, size: int) -> None:
    task = ada.plan("Zebras and giraffes")["Zebras and giraffes"]
    artifact = ada.complete(task, detailed_work="x" * size, file_paths=["a.md"])["artifact_info"]["artifact_id"]
    ada.call("update_task", task_id=task, action="request_revision", reason="Fix it")
    ada.call("update_task", task_id=task, title="Giraffes", description="Tall ones")
    hits = ada.call("search", query="giraffes", kinds=["artifact"])["hits"]
    assert [row["artifact_id"] for row in hits] == [artifact]
    assert total("a.md") == 1 and total("zebras") == 0


def test_the_words_after_a_million_characters_are_found_inside_alone(ada: Assistant) -> None:
    done = ada.complete(ada.plan("A")["A"], detailed_work=f"{'x ' * (PIECE * PIECES // 2)} needle")
    index.catch_up()
    assert total("needle") == 0
    artifact = done["artifact_info"]["artifact_id"]
    assert ada.call("search", query="needle", in_artifact=artifact)["total"] == 1


def test_what_is_noted_but_gone_is_forgotten(ada: Assistant) -> None:
    index.note([2 * 10**9, 2 * 10**9 + 1])
    assert index.catch_up() == 2
    assert not SearchBacklog.objects.exists()


def test_a_damaged_artifact_is_still_found_by_what_it_is_about(ada: Assistant) -> None:
    from artifacts.storage import path_of

    artifact = Artifact.objects.get(public_id=long_work(ada))
    path_of(artifact.versions.get().content.sha256).unlink()
    index.catch_up()
    assert total(artifact.public_id) == 1
    assert not SearchBacklog.objects.exists()


def test_an_artifact_that_the_system_does_not_read_holds_up_no_other(ada: Assistant) -> None:
    from artifacts.storage import path_of

    artifact = Artifact.objects.get(public_id=long_work(ada))
    path = path_of(artifact.versions.get().content.sha256)
    path.unlink()
    path.mkdir()
    index.catch_up()
    assert total(artifact.public_id) == 1
    assert not SearchBacklog.objects.exists()


def test_everything_is_indexed_again_by_a_command(ada: Assistant, capsys: pytest.CaptureFixture[str]) -> None:
    ada.complete(ada.plan("Okapi")["Okapi"], detailed_work="needle")
    SearchDocument.objects.all().delete()
    assert total("needle") == total("okapi") == 0
    call_command("artifacts", "reindex")
    assert capsys.readouterr().out == "Indexed 3 tasks and artifacts.\n"
    assert (total("needle"), total("okapi")) == (1, 2)


@pytest.mark.django_db(transaction=True)
def test_an_upgrade_indexes_what_is_there(ada: Assistant) -> None:
    ada.complete(ada.plan("Okapi")["Okapi"], detailed_work="needle")
    long_work(ada, kept="zebras")
    call_command("migrate", "artifacts", "0003_uploads", verbosity=0)
    upgrade(connection, by_hand=True)  # it removes a column
    assert (total("needle"), total("zebras"), total("okapi")) == (1, 1, 2)


def test_what_is_deleted_is_found_no_more(ada: Assistant) -> None:
    ada.complete(ada.plan("Okapi")["Okapi"], detailed_work="needle")
    Artifact.objects.get().delete()
    assert (total("needle"), total("okapi")) == (0, 1)
    Task.objects.get(title="Okapi").delete()
    assert total("okapi") == 0
    Project.objects.all().delete()
    assert not SearchDocument.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_index_outlives_the_rebuilding_of_the_tables_beside_it(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    old = Artifact._meta.get_field("kind")
    new = CharField(max_length=99, choices=Kind.choices, default=Kind.GENERAL)
    new.set_attributes_from_name("kind")
    new.model = Artifact
    for before, after in ((old, new), (new, old)):
        with connection.schema_editor() as editor:
            editor.alter_field(Artifact, before, after, strict=True)
    ada.complete(task, detailed_work="needle")
    assert total("needle") == 1


def test_the_index_holds_exactly_the_words_of_the_rows(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    for work in ("zebras " * 9000, "giraffes"):
        ada.complete(task, detailed_work=work)
        ada.call("update_task", task_id=task, action="request_revision", reason="Fix it")
    ada.call("update_task", task_id=task, title="Okapi")
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(
                "INSERT INTO artifacts_searchindex (artifacts_searchindex, rank) VALUES ('integrity-check', 1)"
            )  # raises where the index and its rows differ
        else:
            cursor.execute("SELECT count(*) FROM artifacts_searchdocument WHERE vector @@ to_tsquery('zebra')")
            assert cursor.fetchone() == (0,)
    assert total("zebras") == 0
