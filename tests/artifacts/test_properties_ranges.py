"""Any stretch of any work in any unit is exactly what Python's own slicing gives, wherever blocks begin."""

from __future__ import annotations

import codecs
import hashlib
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifacts import storage
from artifacts.models import INLINE_LIMIT, Artifact, ArtifactVersion
from artifacts.selectors import artifacts
from artifacts.storage import block_index
from orchestrator_site.kernel.errors import Invalid
from tests.factories import make_artifact, make_project, make_task
from tests.properties import undone

pytestmark = pytest.mark.django_db

# What is easily got wrong at an edge, more often than chance would bring it.
PIECES = st.sampled_from(
    ["\r\n", "\n", "\r", "\x00", "\u2028", "\x85", "é", "€", "漢字", "🎉", "e\u0301", "\ufeff", "ab"]
)
CHARACTERS = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=5)
TEXTS = st.lists(PIECES | CHARACTERS, max_size=60).map("".join)
SIZES = st.integers(1, 40)
UNITS = st.sampled_from(["chars", "lines", "bytes"])


@contextmanager
def in_blocks_of(size: int) -> Iterator[None]:
    """Index what is stored in blocks of so many bytes."""
    with pytest.MonkeyPatch.context() as patched, undone():
        patched.setattr(block_index, "BLOCK_BYTES", size)
        yield


def delivered(data: bytes, *pieces: int) -> ArtifactVersion:
    """Store bytes that arrive in pieces of these sizes."""
    rest, prepared = data, None
    with storage.Writer() as writer:
        for size in pieces:
            writer.write(rest[:size])
            rest = rest[size:]
        writer.write(rest)
        prepared = writer.finish()
    version = make_artifact(make_task(make_project()), "x").versions.get()
    version.content = storage.insert(prepared)
    version.save()
    return version


def lines_of(text: str) -> list[str]:
    """Cut behind each \\n, and nowhere else."""
    ended = text.split("\n")
    return [line + "\n" for line in ended[:-1]] + ([ended[-1]] if ended[-1] else [])


def sliced(text: str, unit: artifacts.Unit, start: int, stop: int) -> str | bytes:
    whole = {"chars": text, "lines": lines_of(text), "bytes": text.encode()}[unit]
    found = whole[start:stop]
    return "".join(found) if isinstance(found, list) else found


def given_back(found: artifacts.Slice) -> str | bytes:
    """Return what a slice holds: its text, of bytes the bytes."""
    if found.unit != "bytes":
        assert found.text is not None
        return found.text
    return found.text.encode() if found.base64 is None and found.text is not None else b64decode(found.base64 or "")


@given(TEXTS, SIZES, UNITS, st.data())
def test_a_range_is_the_slice(text: str, block: int, unit: artifacts.Unit, data: st.DataObject) -> None:
    with in_blocks_of(block):
        version = delivered(text.encode())
        total = artifacts.read(version, unit, offset=0).total
        offset = data.draw(st.integers(0, total))
        limit = data.draw(st.integers(1, total + 2))
        found = artifacts.read(version, unit, offset=offset, limit=limit)
        assert given_back(found) == sliced(text, unit, offset, offset + limit)
        assert (found.offset, found.end) == (offset, min(offset + limit, total))
        assert found.has_more == (found.end < total)


@given(TEXTS, SIZES, UNITS, st.lists(st.integers(1, 30), min_size=1, max_size=4))
def test_ranges_add_up_to_everything(text: str, block: int, unit: artifacts.Unit, limits: list[int]) -> None:
    with in_blocks_of(block):
        assert read_through(delivered(text.encode()), unit, limits) == sliced(text, unit, 0, 10**9)


def read_through(version: ArtifactVersion, unit: artifacts.Unit, limits: list[int]) -> str | bytes:
    parts, offset, turn = list[str | bytes](), 0, 0
    while True:
        found = artifacts.read(version, unit, offset=offset, limit=limits[turn % len(limits)])
        parts.append(given_back(found))
        offset, turn = found.end, turn + 1
        if not found.has_more:
            return (b"" if unit == "bytes" else "").join(parts)  # type: ignore[arg-type]


@given(TEXTS, SIZES)
def test_counts_are_those_of_the_text(text: str, block: int) -> None:
    with in_blocks_of(block):
        content = delivered(text.encode()).content
        assert (content.size_bytes, content.size_chars, content.size_lines) == (
            len(text.encode()), len(text), len(lines_of(text)),
        )  # fmt: skip


@given(st.binary(max_size=200), SIZES, st.lists(st.integers(1, 30), min_size=1, max_size=4))
def test_bytes_that_are_no_text_come_back_exactly(data: bytes, block: int, limits: list[int]) -> None:
    with in_blocks_of(block):
        version = delivered(data)
        assert read_through(version, "bytes", limits) == data
        assert (version.content.size_chars is None) == (not is_text(data))
        if not is_text(data):
            with pytest.raises(Invalid, match="is no text"):
                artifacts.read(version, "chars")


def is_text(data: bytes) -> bool:
    try:
        codecs.decode(data, "utf-8")
    except UnicodeDecodeError:
        return False
    return True


@given(TEXTS, SIZES, st.lists(st.integers(0, 50), max_size=8))
def test_it_makes_no_difference_in_which_pieces_bytes_arrive(text: str, block: int, pieces: list[int]) -> None:
    with in_blocks_of(block):
        whole = delivered(text.encode()).content
        Artifact.objects.all().delete()
        whole.delete()
        parts = delivered(text.encode(), *pieces).content
        facts = ("sha256", "size_bytes", "size_chars", "size_lines", "index")
        assert [getattr(whole, fact) for fact in facts] == [getattr(parts, fact) for fact in facts]
        assert storage.text_of(parts) == text
        assert parts.sha256 == hashlib.sha256(text.encode()).hexdigest()


EDGES: dict[str, Callable[[int], str]] = {
    "a character over the edge": lambda block: "a" * (block - 1) + "🎉" + "b" * block,
    "two bytes over the edge": lambda block: "a" * (block - 2) + "漢" * block,
    "CR before and LF behind the edge": lambda block: "a" * (block - 1) + "\r\n" + "b" * block,
    "LF the last byte of a block": lambda block: "a" * (block - 1) + "\n" + "b" * block,
    "LF the first byte of a block": lambda block: "a" * block + "\n" + "b" * block,
    "empty lines alone": lambda block: "\n" * (3 * block),
    "characters alone": lambda block: "🎉" * block,
    "nothing behind the last block": lambda block: "a" * (4 * block),
}


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("unit", ["chars", "lines", "bytes"])
def test_at_the_edge_of_a_block_every_range_is_exact(edge: str, unit: artifacts.Unit) -> None:
    block = 16
    text = EDGES[edge](block)
    with in_blocks_of(block):
        version = delivered(text.encode())
        total = artifacts.read(version, unit).total
        for offset in range(total + 1):
            for limit in (1, 2, 3, block, total + 1):
                found = artifacts.read(version, unit, offset=offset, limit=limit)
                assert given_back(found) == sliced(text, unit, offset, offset + limit)


def test_a_line_that_is_too_long_shows_where_to_read_it_in_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "SHOWN_LIMIT", 50)
    for block in (7, 64, 4096):
        with in_blocks_of(block):
            version = delivered(("é\n" * 3 + "漢" * 51 + "\n" + "end\n").encode())
            assert artifacts.read(version, "lines", offset=0, limit=5).end == 3
            with pytest.raises(Invalid, match="more than 50 characters") as rejection:
                artifacts.read(version, "lines", offset=3, limit=1)
            assert rejection.value.details == {"chars_offset": 6}
            assert "offset=6;" in rejection.value.next
            assert artifacts.read(version, "chars", offset=6, limit=50).text == "漢" * 50
            assert artifacts.read(version, "lines", offset=4, limit=5).text == "end\n"


@pytest.mark.parametrize("size", [50, 51])
def test_a_line_of_just_the_limit_is_read(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "SHOWN_LIMIT", 50)
    with in_blocks_of(16):
        version = delivered(("漢" * (size - 1) + "\n").encode())
        if size == 50:
            assert artifacts.read(version, "lines", limit=5).end == 1
        else:
            with pytest.raises(Invalid):
                artifacts.read(version, "lines", limit=5)


@pytest.mark.parametrize("unit", ["chars", "lines", "bytes"])
@pytest.mark.parametrize(("offset", "limit"), [(-1, 1), (10**9, 1), (0, 0), (0, artifacts.READ_LIMIT + 1)])
def test_a_range_that_cannot_be_is_refused(unit: artifacts.Unit, offset: int, limit: int) -> None:
    with undone(), pytest.raises(Invalid, match=r"offset|limit"):
        artifacts.read(delivered(b"abc\n"), unit, offset=offset, limit=limit)


@pytest.mark.parametrize("off_by", [-1, 0, 1])
def test_up_to_64_kib_are_kept_in_the_row(off_by: int) -> None:
    with undone():
        content = delivered(b"x" * (64 * 1024 + off_by)).content
        assert (content.data is None, content.stored_as != "") == (off_by > 0, off_by > 0)
        assert INLINE_LIMIT == 64 * 1024
