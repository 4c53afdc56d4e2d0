"""Content in either store: kept whole, read in parts, given back exactly, never served when harmed."""

from __future__ import annotations

import os
import random
import tracemalloc
from datetime import timedelta

import pytest

from artifacts import storage
from artifacts.models import INLINE_LIMIT, ArtifactVersion, Content
from artifacts.selectors import artifacts
from artifacts.services import sweep
from artifacts.services.sweep import remove_orphans
from artifacts.services.verify import Finding, verify
from artifacts.storage import block_index
from artifacts.storage.backends import content_store
from artifacts.storage.base import place_of
from orchestrator_site.kernel.errors import Transient
from tests.artifacts.shelf import ObjectShelf, Shelf
from tests.factories import make_artifact, make_project, make_task

pytestmark = pytest.mark.django_db

TEXT = "".join(f"{number}: ünïcödé 漢字 🎉 e\u0301\r\n" for number in range(3000))
HARMS = {
    "a byte changed": lambda packed: (
        packed[: len(packed) // 2] + bytes([packed[len(packed) // 2] ^ 1]) + packed[len(packed) // 2 + 1 :]
    ),
    "the end cut": lambda packed: packed[:-1],
    "the half cut": lambda packed: packed[: len(packed) // 2],
    "emptied": lambda packed: b"",
    "other bytes": lambda packed: os.urandom(len(packed)),
}


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let texts of some pages span many blocks."""
    monkeypatch.setattr(block_index, "BLOCK_BYTES", 4096)


def stored(data: bytes) -> Content:
    with storage.Writer() as writer:
        writer.write(data)
        return storage.insert(writer.finish())


def version_of(text: str = TEXT) -> ArtifactVersion:
    version = make_artifact(make_task(make_project()), text).versions.select_related("content").get()
    assert version.content.index
    return version


def findings(*, repair: bool = False) -> list[Finding]:
    found: list[Finding] = []
    verify(repair=repair, report=found.append)
    return found


@pytest.mark.parametrize("size", [0, 1, INLINE_LIMIT - 1, INLINE_LIMIT, INLINE_LIMIT + 1, 10 * INLINE_LIMIT])
def test_bytes_of_any_size_come_back(shelf: Shelf, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_index, "BLOCK_BYTES", 256 * 1024)
    data = random.Random(size).randbytes(size)
    content = stored(data)
    assert b"".join(storage.chunks(content)) == data
    assert shelf.names() == ([content.stored_as] if size > INLINE_LIMIT else [])
    assert (content.data is None) == (size > INLINE_LIMIT)


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (0, 4096), (4095, 4097), (5000, 20_000), (70_000, 10**9)])
def test_any_range_is_read_by_itself(shelf: Shelf, start: int, stop: int) -> None:
    data = TEXT.encode()
    content = stored(data)
    assert b"".join(storage.stretch(content, start, min(stop, len(data)))) == data[start:stop]


def test_only_the_blocks_of_a_stretch_are_asked_for(s3_shelf: ObjectShelf) -> None:
    content, asked = stored(TEXT.encode()), list[str]()
    s3_shelf.client.meta.events.register("before-send.s3.GetObject", lambda request, **_: asked.append(request.headers))
    list(storage.stretch(content, 50_000, 50_010))
    first, last = map(int, asked[0]["Range"].decode().removeprefix("bytes=").split("-"))
    assert len(asked) == 1
    assert last - first < 2 * 4096


def test_identical_bytes_are_kept_once(shelf: Shelf) -> None:
    first, second = stored(TEXT.encode()), stored(TEXT.encode())
    assert Content.objects.get().stored_as == first.stored_as == second.stored_as
    assert shelf.names() == [first.stored_as]


def test_two_who_store_the_same_new_bytes_both_find_them_complete(shelf: Shelf) -> None:
    first, second = storage.prepare(TEXT), storage.prepare(TEXT)
    assert len(shelf.names()) == 2
    for prepared in (first, second, first):
        assert storage.text_of(storage.insert(prepared)) == TEXT


def test_finding_the_bytes_does_not_undo_a_later_repair(folder_shelf: Shelf) -> None:
    first = stored(TEXT.encode())
    found = storage.prepare(TEXT)  # proven good here
    (storage.folder() / place_of(first.stored_as)).write_bytes(b"rotten")
    healed = stored(TEXT.encode())
    assert healed.stored_as != first.stored_as
    storage.insert(found)
    assert storage.text_of(Content.objects.get()) == TEXT


def test_a_stored_file_holds_exactly_the_delivered_bytes(shelf: Shelf) -> None:
    assert shelf.read(stored(TEXT.encode()).stored_as) == TEXT.encode()


def test_a_large_artifact_is_stored_and_read_in_little_memory(
    folder_shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(block_index, "BLOCK_BYTES", 256 * 1024)
    piece = TEXT.encode() * 10
    tracemalloc.start()
    try:
        with storage.Writer() as writer:
            for _ in range(64):
                writer.write(piece)
            content = storage.insert(writer.finish())
        assert sum(map(len, storage.chunks(content))) == 64 * len(piece)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * 2**20


@pytest.mark.parametrize("harm", HARMS)
def test_harmed_bytes_are_never_served_as_good(shelf: Shelf, harm: str) -> None:
    version = version_of()
    name = version.content.stored_as
    shelf.write(name, HARMS[harm](shelf.read(name)))
    with pytest.raises(storage.Damaged):
        storage.text_of(version.content)
    for unit in ("chars", "lines", "bytes"):
        assert_exact_or_refused(version, unit)


def assert_exact_or_refused(version: ArtifactVersion, unit: artifacts.Unit) -> None:
    """What lies in a whole block may still be read; of what does not, nothing is."""
    whole = {"chars": list(TEXT), "lines": TEXT.splitlines(keepends=True), "bytes": TEXT.encode()}[unit]
    refused = 0
    for offset in [*range(0, len(whole) - 5, len(whole) // 40), len(whole) - 5]:
        try:
            found = artifacts.read(version, unit, offset=offset, limit=5)
        except storage.Damaged:
            refused += 1
            continue
        wanted = whole[offset : offset + 5]
        raw = wanted if isinstance(wanted, bytes) else "".join(wanted).encode()
        assert (found.text or "").encode() == raw if found.base64 is None else unit == "bytes"
    assert refused


@pytest.mark.parametrize("unit", ["chars", "lines", "bytes"])
def test_bytes_that_are_gone_are_said_to_be(shelf: Shelf, unit: artifacts.Unit) -> None:
    version = version_of()
    shelf.remove(version.content.stored_as)
    with pytest.raises(storage.Damaged, match="missing"):
        artifacts.read(version, unit)


@pytest.mark.parametrize("harm", ["of another work", "cut", "shuffled", "nothing", "emptied"])
@pytest.mark.parametrize("unit", ["chars", "lines", "bytes"])
def test_a_wrong_index_leads_to_no_wrong_text(shelf: Shelf, harm: str, unit: artifacts.Unit) -> None:
    version = version_of()
    index, other = bytes(version.content.index or b""), bytes(stored(TEXT.encode()[::-1]).index or b"")
    wrong = {
        "of another work": other,
        "cut": index[: 28 * 4],
        "shuffled": index[28:56] + index[:28] + index[56:],
        "nothing": b"\0" * len(index),
        "emptied": b"",
    }[harm]
    version.content.index = wrong
    with pytest.raises(storage.Damaged):
        artifacts.read(version, unit, offset={"lines": 100, "chars": 9_000, "bytes": 9_000}[unit], limit=500)


@pytest.mark.parametrize("harm", [*HARMS, "gone"])
def test_delivering_harmed_bytes_again_makes_them_good(shelf: Shelf, harm: str) -> None:
    content = stored(TEXT.encode())
    packed = shelf.read(content.stored_as)
    shelf.remove(content.stored_as) if harm == "gone" else shelf.write(content.stored_as, HARMS[harm](packed))
    again = stored(TEXT.encode())
    assert again.stored_as != content.stored_as
    assert storage.text_of(Content.objects.get()) == TEXT


def test_the_sweep_takes_what_nothing_names_and_nothing_else(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    named, left = version_of(), storage.prepare("left " + TEXT)
    assert remove_orphans() == 0
    monkeypatch.setattr(sweep, "KEEP", timedelta(seconds=-10))
    assert remove_orphans() == 1
    assert shelf.names() == [named.content.stored_as]
    assert left.stored_as not in shelf.names()
    assert storage.text_of(named.content) == TEXT


def test_what_is_put_aside_is_no_longer_read_and_can_be_looked_at(shelf: Shelf) -> None:
    content = stored(TEXT.encode())
    content_store().put_aside(content.stored_as)
    content_store().put_aside(content.stored_as)
    assert (shelf.names(), shelf.aside()) == ([], [content.stored_as])
    with pytest.raises(storage.Damaged, match="missing"):
        storage.text_of(content)


def test_removing_what_is_not_there_is_no_error(shelf: Shelf) -> None:
    content_store().remove("0" * 64)
    assert shelf.names() == []


def test_content_moves_from_one_store_to_the_other_by_copying(folder_shelf: Shelf, s3_shelf: Shelf) -> None:
    """Both keep the same bytes under the same names, so a copy of the folder is a store."""
    content = stored(TEXT.encode())
    packed = s3_shelf.read(content.stored_as)
    folder_shelf.write(content.stored_as, packed)
    assert storage.path_of(content.sha256).read_bytes() == packed


@pytest.mark.parametrize("do", ["store", "read", "sweep", "verify"])
def test_a_store_that_cannot_be_reached_is_a_passing_fault(
    s3_shelf: Shelf, do: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = stored(TEXT.encode())
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    from artifacts.storage import s3

    s3._client.cache_clear()
    actions = {
        "store": lambda: storage.prepare("other " + TEXT),
        "read": lambda: storage.text_of(content),
        "sweep": remove_orphans,
        "verify": findings,
    }
    with pytest.raises(Transient, match="cannot be reached") as rejection:
        actions[do]()
    assert rejection.value.retry_after_ms > 0
    assert "AWS_" in rejection.value.next
    s3._client.cache_clear()


def test_a_bucket_that_is_not_there_is_said_to_be(s3_shelf: Shelf, settings: object) -> None:
    settings.ORCHESTRATOR_CONTENT_URL = "s3://nowhere/works"  # type: ignore[attr-defined]
    with pytest.raises(Transient, match="NoSuchBucket"):
        storage.prepare(TEXT)
