"""Ranges of delivered bytes (RFC 9110, section 14), which the page and the REST API serve alike."""

from __future__ import annotations

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from artifacts.models import Artifact, Content
from artifacts.storage import insert, prepare, stretch
from artifacts.storage.block_index import BLOCK_BYTES
from tasks.models import Task
from tests.factories import make_artifact, make_project, make_task, signed_in

TEXT = "0123456789"
LARGE = "".join(f"{number:07} ü\n" for number in range(40_000))


@pytest.fixture
def task(client: Client, db: None) -> Task:
    signed_in(client)
    return make_task(make_project("ledger"))


def ask(client: Client, artifact: Artifact, **headers: str):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.get(f"/artifacts/{artifact.public_id}/raw/", headers=names)


def body(answer) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


@pytest.mark.parametrize(
    ("header", "expected", "place"),
    [
        ("bytes=0-3", b"0123", "0-3"),
        ("bytes=4-4", b"4", "4-4"),
        ("bytes=7-", b"789", "7-9"),
        ("bytes=7-99", b"789", "7-9"),
        ("bytes=-3", b"789", "7-9"),
        ("bytes=-99", b"0123456789", "0-9"),
        ("Bytes= 0-0 ", b"0", "0-0"),
    ],
)
def test_a_range_is_sent_and_named(client: Client, task: Task, header: str, expected: bytes, place: str) -> None:
    answer = ask(client, make_artifact(task, TEXT), Range=header)
    assert answer.status_code == 206
    assert answer["Content-Range"] == f"bytes {place}/10"
    assert answer["Content-Length"] == str(len(expected))
    assert body(answer) == expected


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=99-100", "bytes=-0"])
def test_a_range_beyond_the_end_is_refused_with_the_size(client: Client, task: Task, header: str) -> None:
    answer = ask(client, make_artifact(task, TEXT), Range=header)
    assert (answer.status_code, answer["Content-Range"], answer.content) == (416, "bytes */10", b"")


def test_no_range_of_nothing_can_be_sent(client: Client, task: Task) -> None:
    empty = make_artifact(task, "")
    assert [ask(client, empty, Range=header).status_code for header in ("bytes=0-", "bytes=-5")] == [416, 416]


@pytest.mark.parametrize(
    "header", ["bytes=3-1", "bytes=-", "bytes=a-b", "items=0-1", "bytes=0-1,4-5", "bytes=0-" + "9" * 30, "bytes"]
)
def test_what_is_no_single_range_of_bytes_is_answered_with_everything(client: Client, task: Task, header: str) -> None:
    answer = ask(client, make_artifact(task, TEXT), Range=header)
    assert (answer.status_code, body(answer)) == (200, TEXT.encode())


def test_ranges_are_announced(client: Client, task: Task) -> None:
    assert ask(client, make_artifact(task, TEXT))["Accept-Ranges"] == "bytes"


def test_a_range_of_other_bytes_than_the_client_began_with_is_answered_with_everything(
    client: Client, task: Task
) -> None:
    artifact = make_artifact(task, TEXT)
    etag = ask(client, artifact)["ETag"]
    assert ask(client, artifact, Range="bytes=0-1", If_Range=etag).status_code == 206
    for other in ('"other"', f"W/{etag}", "Wed, 21 Oct 2015 07:28:00 GMT"):
        assert ask(client, artifact, Range="bytes=0-1", If_Range=other).status_code == 200


def test_what_the_client_has_comes_before_the_range(client: Client, task: Task) -> None:
    artifact = make_artifact(task, TEXT)
    etag = ask(client, artifact)["ETag"]
    assert ask(client, artifact, Range="bytes=0-1", If_None_Match=etag).status_code == 304


@pytest.mark.parametrize("header", ["W/{etag}", '"other", {etag}', "*"])
def test_what_the_client_has_is_recognised_in_every_form(client: Client, task: Task, header: str) -> None:
    artifact = make_artifact(task, TEXT)
    etag = ask(client, artifact)["ETag"]
    assert ask(client, artifact, If_None_Match=header.format(etag=etag)).status_code == 304


def test_head_shows_the_size_and_sends_nothing(client: Client, task: Task) -> None:
    artifact = make_artifact(task, LARGE)
    answer = client.head(f"/artifacts/{artifact.public_id}/raw/", headers={"Range": "bytes=0-1"})
    assert (answer.status_code, answer["Content-Length"], answer.content) == (200, str(len(LARGE.encode())), b"")


@given(start=st.integers(0, len(LARGE.encode())), length=st.integers(1, 200_000))
@pytest.mark.django_db
def test_any_range_of_a_packed_file_is_the_same_stretch_of_what_was_delivered(start: int, length: int) -> None:
    content = insert(prepare(LARGE))
    found = b"".join(stretch(content, start, start + length))
    assert found == LARGE.encode()[start : start + length]


def test_a_range_of_damaged_bytes_is_not_sent(client: Client, task: Task) -> None:
    artifact = make_artifact(task, "good words")
    Content.objects.update(data=b"evil words")
    assert ask(client, artifact, Range="bytes=0-3").status_code == 500


def test_no_piece_is_large_however_well_everything_was_packed(client: Client, task: Task) -> None:
    text = "x" * 5_000_000
    content = make_artifact(task, text).versions.get().content
    pieces = list(stretch(content, 1, len(text)))
    assert max(map(len, pieces)) <= BLOCK_BYTES
    assert b"".join(pieces) == text[1:].encode()
