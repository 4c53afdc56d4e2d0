"""Keep search documents up to date: in the transaction of a change, long artifacts after it, or all of them again."""

from __future__ import annotations

import codecs
import logging
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, islice
from time import monotonic
from typing import Any

from django.db import connection, transaction

from artifacts import storage
from artifacts.models import Artifact, ArtifactVersion, Content, SearchBacklog, SearchDocument
from artifacts.search import documents
from artifacts.search.documents import PARTS, owner_of
from artifacts.storage import Damaged, Unreadable
from orchestrator_site.kernel.batch import Batch
from orchestrator_site.kernel.commits import after_commit
from tasks.models import Task

logger = logging.getLogger(__name__)

_COLUMNS = [field.attname for field in SearchDocument._meta.concrete_fields]
_NAMES = [f'"{name}"' for name in _COLUMNS]
_UPSERT = f"""
    INSERT INTO artifacts_searchdocument ({", ".join(_NAMES)}) VALUES ({", ".join(["%s"] * len(_NAMES))})
    ON CONFLICT (id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _NAMES[1:])}
"""  # noqa: S608  # names of our own
_TOGETHER = 200
_PIECES_TOGETHER = 8
"""Documents in one transaction where much is written, since on SQLite it blocks all other writers."""
_READ_FOR_TASK = ("public_id", "project", "root", "title", "description", "context", "summary")


def index_tasks(tasks: Sequence[Task], *, renamed: bool = False) -> None:
    """Write the words of tasks. Call it in the transaction of the change, with their rows locked."""
    _write(documents.of_task(task) for task in tasks)
    if renamed:  # artifacts are found by these names too
        found = Artifact.objects.filter(task__in=[task.pk for task in tasks]).values_list("pk", flat=True)
        _index_later([owner_of(artifact=key) for key in found])


def _index_later(owners: list[int]) -> None:
    """Index artifacts after the transaction."""
    note(owners)
    for owner in owners:
        after_commit(partial(catch_up_with, owner), repeated_by="index_search")


def index_artifact(version: ArtifactVersion, *, task: Task, paths: Sequence[str]) -> None:
    """Write the words of an artifact whose latest version this is. Call it in the transaction of the delivery.

    Content that is stored in a file is read after the transaction: it may be long, and block all other writers.
    """
    artifact, content = version.artifact, version.content
    is_long = content.data is None and content.size_chars is not None
    pieces = [documents.head_of(artifact, paths), *([] if is_long else documents.cut(_texts(content)))]
    if artifact.version > 1:
        _forget(artifact.pk, first=len(pieces))
    _write(documents.of_artifact(artifact, paths, task, pieces))
    if is_long:
        _index_later([owner_of(artifact=artifact.pk)])


def note(owners: Iterable[int]) -> None:
    SearchBacklog.objects.bulk_create([SearchBacklog(owner) for owner in owners], ignore_conflicts=True)


def catch_up(*, seconds: float | None = None) -> int:
    """Index what is noted, the newest first, for as long as there is time. Returns how many owners were done."""
    until = None if seconds is None else monotonic() + seconds
    done, below = 0, None
    while until is None or monotonic() < until:
        rows = SearchBacklog.objects.order_by("-owner")
        rows = rows if below is None else rows.filter(owner__lt=below)
        owners = list(rows.values_list("owner", flat=True)[:_TOGETHER])
        if not owners:
            break
        below = owners[-1]
        catch_up_with_tasks([owner // 2 for owner in owners if owner % 2 == 0])
        for owner in owners:
            if owner % 2:
                catch_up_with(owner)
        done += len(owners)
    return done


def reindex() -> int:
    """Write every document again, and the index from them. Returns how many owners were done."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO artifacts_searchindex (artifacts_searchindex) VALUES ('rebuild')")
    for rows, odd in ((Task.objects.all(), 0), (Artifact.objects.all(), 1)):
        keys = rows.order_by("pk").values_list("pk", flat=True).iterator(chunk_size=2000)
        while owners := [key * 2 + odd for key in islice(keys, 2000)]:
            note(owners)
    return catch_up()


def catch_up_with(owner: int) -> None:
    """Index a noted artifact piece by piece; a newer version that arrives during this notes it again."""
    artifact = Artifact.objects.select_related("task").filter(pk=owner // 2).first()
    latest = ArtifactVersion.objects.select_related("content").filter(artifact=owner // 2)
    version = latest.filter(number=artifact.version).first() if artifact else None
    if artifact is None or version is None:
        SearchBacklog.objects.filter(owner=owner).delete()
        return
    paths = list(artifact.paths.values_list("path", flat=True))
    head = documents.head_of(artifact, paths)
    found = documents.of_artifact(artifact, paths, artifact.task, chain([head], _pieces(artifact, version)))
    last = 0
    while batch := list(islice(found, _PIECES_TOGETHER)):
        last = batch[-1].pk
        with transaction.atomic():
            if not _is_latest(artifact):
                return
            _write(batch)
    with transaction.atomic():
        if _is_latest(artifact):
            _forget(artifact.pk, first=last % PARTS + 1)
            SearchBacklog.objects.filter(owner=owner).delete()


def _is_latest(artifact: Artifact) -> bool:
    """Whether an artifact is still as it was read; its row is locked, unless another transaction has it locked."""
    rows = Artifact.objects.select_for_update(skip_locked=True)
    return rows.filter(pk=artifact.pk, version=artifact.version).exists()


def catch_up_with_tasks(keys: list[int]) -> None:
    """Index noted tasks; those that are being changed stay noted."""
    if not keys:
        return
    with transaction.atomic():
        rows = Task.objects.select_for_update(skip_locked=True).filter(pk__in=keys).order_by()
        tasks = list(rows.only(*_READ_FOR_TASK))
        index_tasks(tasks)
        left = set(Task.objects.filter(pk__in=keys).values_list("pk", flat=True)) - {task.pk for task in tasks}
        SearchBacklog.objects.filter(owner__in=[owner_of(task=key) for key in keys if key not in left]).delete()


def _pieces(artifact: Artifact, version: ArtifactVersion) -> Iterator[tuple[int, int, str]]:
    try:
        yield from documents.cut(_texts(version.content))
    except (Damaged, Unreadable, UnicodeDecodeError):  # reading and verifying report it
        logger.warning("The text of %s could not be indexed: its stored bytes cannot be read.", artifact.public_id)


def _texts(content: Content) -> Iterator[str]:
    """Yield a text in chunks; nothing of binary content."""
    if content.size_chars is None:
        return
    decoder = codecs.getincrementaldecoder("utf-8")()
    for chunk in storage.chunks(content):
        yield decoder.decode(chunk)


def _write(found: Iterable[SearchDocument]) -> None:
    """Insert documents, or replace those of the same keys; in SQL, since every delivery waits for it."""
    _batch.add([getattr(document, column) for column in _COLUMNS] for document in found)


def _upsert(rows: list[list[Any]]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(_UPSERT, rows)


_batch = Batch(_upsert)
together = _batch.together


def _forget(artifact_key: int, *, first: int) -> None:
    """Remove the documents of an artifact from a part on."""
    start = owner_of(artifact=artifact_key) * PARTS
    SearchDocument.objects.filter(pk__gte=start + first, pk__lt=start + PARTS).delete()
