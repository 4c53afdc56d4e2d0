"""orchestrator_read_artifact: exact ranges of what was delivered, and damaged bytes never served as good."""

from __future__ import annotations

import base64
import hashlib

import pytest

from artifacts import storage
from artifacts.models import Content
from artifacts.storage import block_index
from tests.assistants import Assistant

WORK = "".join(f"{number}: ünïcödé 漢字 🎉 e\u0301\r\n" for number in range(2000))


def deliver(ada: Assistant, work: str) -> str:
    return deliver_to(ada, ada.plan("A")["A"], work)


def deliver_to(ada: Assistant, task: str, work: str) -> str:
    return str(ada.complete(task, detailed_work=work)["artifact_info"]["artifact_id"])


@pytest.mark.parametrize("limit", [1_000, 7_919, 100_000])
def test_ranges_concatenate_to_the_whole(ada: Assistant, limit: int) -> None:
    artifact = deliver(ada, WORK)
    text, offset = "", 0
    while True:
        answer = ada.call("read_artifact", artifact_id=artifact, offset=offset, limit=limit)
        text += answer["text"]
        if "next_offset" not in answer:
            break
        offset = answer["next_offset"]
    assert text == WORK
    assert answer["sha256"] == hashlib.sha256(WORK.encode()).hexdigest()
    assert (answer["total_chars"], answer["total_bytes"]) == (len(WORK), len(WORK.encode()))


@pytest.mark.parametrize(
    ("unit", "whole"),
    [("chars", WORK), ("lines", [f"{line}\n" for line in WORK.split("\n")[:-1]]), ("bytes", WORK.encode())],
)
def test_every_unit_is_read_exactly_by_the_offsets_that_are_reported(
    ada: Assistant, unit: str, whole: str | list[str] | bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(block_index, "BLOCK_BYTES", 1000)
    artifact, found, answer = deliver(ada, WORK), b"", {"next_offset": 0}
    while "next_offset" in answer:
        offset = answer["next_offset"]
        answer = ada.call("read_artifact", artifact_id=artifact, unit=unit, offset=offset, limit=1237)
        part = base64.b64decode(answer["base64"]) if "base64" in answer else answer["text"].encode()
        wanted = whole[offset : offset + 1237]
        assert part == (wanted if isinstance(wanted, bytes) else "".join(wanted).encode())
        found += part
        if "next" in answer:
            assert f"offset={answer['next_offset']}" in answer["next"]
    assert found == WORK.encode()
    assert answer[f"total_{unit}"] == len(whole)


@pytest.mark.parametrize(("unit", "text"), [("chars", "nd"), ("lines", "second\n"), ("bytes", "nd")])
def test_an_earlier_version_is_read_in_every_unit(ada: Assistant, unit: str, text: str) -> None:
    task = ada.plan("A")["A"]
    first = deliver_to(ada, task, "first\nsecond\n")
    ada.call("update_task", task_id=task, action="request_revision", reason="Fix it")
    assert deliver_to(ada, task, "another\n") == first
    offset, limit = (1, 5) if unit == "lines" else (10, 2)
    answer = ada.call("read_artifact", artifact_id=first, unit=unit, offset=offset, limit=limit, version=1)
    assert (answer["text"], answer["version"]) == (text, 1)


def test_a_line_that_is_too_long_says_how_to_read_it(ada: Assistant) -> None:
    artifact = deliver(ada, "ü\n" + "x" * 100_001 + "\nend")
    assert ada.call("read_artifact", artifact_id=artifact, unit="lines")["next_offset"] == 1
    error = ada.refused("read_artifact", artifact_id=artifact, unit="lines", offset=1)
    assert "unit='chars', offset=2" in error["next"]
    assert ada.call("read_artifact", artifact_id=artifact, unit="chars", offset=2, limit=5)["text"] == "xxxxx"
    assert ada.call("read_artifact", artifact_id=artifact, unit="lines", offset=2)["text"] == "end"


def test_a_range_at_the_end_is_empty_and_says_so(ada: Assistant) -> None:
    artifact = deliver(ada, "abc")
    answer = ada.call("read_artifact", artifact_id=artifact, offset=3)
    assert answer["text"] == ""
    assert "next_offset" not in answer


def test_the_latest_version_is_read(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    ada.complete(task, detailed_work="One")
    ada.call("update_task", task_id=task, action="request_revision", reason="Fix it")
    artifact = ada.complete(task, detailed_work="Two")["artifact_info"]["artifact_id"]
    answer = ada.call("read_artifact", artifact_id=artifact)
    assert (answer["text"], answer["version"]) == ("Two", 2)


def test_damaged_bytes_in_a_row_are_never_served(ada: Assistant) -> None:
    artifact = deliver(ada, "Good")
    Content.objects.update(data=b"Evil")
    error = ada.refused("read_artifact", artifact_id=artifact)
    assert "damaged" in error["message"]


@pytest.mark.parametrize("unit", ["chars", "lines", "bytes"])
@pytest.mark.parametrize("harm", ["changed", "cut", "gone", "index of another"])
def test_damaged_bytes_in_a_file_are_never_served(ada: Assistant, harm: str, unit: str) -> None:
    artifact = deliver(ada, WORK * 3)
    path = storage.path_of(Content.objects.get().sha256)
    packed = path.read_bytes()
    if harm == "gone":
        path.unlink()
    elif harm == "index of another":
        Content.objects.update(index=storage.prepare(WORK * 4).index)
    else:
        path.write_bytes(packed[:-100] if harm == "cut" else packed[:50] + b"xx" + packed[52:])
    assert "damaged" in ada.refused("read_artifact", artifact_id=artifact, unit=unit)["message"]


@pytest.mark.parametrize("harm", ["changed", "gone"])
def test_a_harmed_file_that_is_delivered_again_is_whole_again(ada: Assistant, harm: str) -> None:
    artifact = deliver(ada, WORK * 3)
    path = storage.path_of(Content.objects.get().sha256)
    path.unlink() if harm == "gone" else path.write_bytes(b"Evil")
    deliver(ada, WORK * 3)
    assert ada.call("read_artifact", artifact_id=artifact, limit=10)["text"] == WORK[:10]
