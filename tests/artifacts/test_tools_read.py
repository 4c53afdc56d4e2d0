"""orchestrator_read_artifact: exact ranges of what was delivered, and damaged bytes never served as good."""

from __future__ import annotations

import hashlib

import pytest

from artifacts import store
from artifacts.models import Content
from tests.assistants import Assistant

WORK = "".join(f"{number}: ünïcödé 漢字 🎉 e\u0301\r\n" for number in range(2000))


def deliver(ada: Assistant, work: str) -> str:
    return str(ada.complete(ada.plan("A")["A"], detailed_work=work)["artifact_info"]["artifact_id"])


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


def test_a_range_at_the_end_is_empty_and_says_so(ada: Assistant) -> None:
    artifact = deliver(ada, "abc")
    answer = ada.call("read_artifact", artifact_id=artifact, offset=3)
    assert answer["text"] == ""
    assert "next_offset" not in answer


def test_the_latest_version_is_read(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    ada.complete(task, detailed_work="One")
    ada.call("update_task", task_id=task, action="request_revision", reason="Mend it")
    artifact = ada.complete(task, detailed_work="Two")["artifact_info"]["artifact_id"]
    answer = ada.call("read_artifact", artifact_id=artifact)
    assert (answer["text"], answer["version"]) == ("Two", 2)


def test_damaged_bytes_in_a_row_are_never_served(ada: Assistant) -> None:
    artifact = deliver(ada, "Good")
    Content.objects.update(data=b"Evil")
    error = ada.refused("read_artifact", artifact_id=artifact)
    assert "damaged" in error["message"]


@pytest.mark.parametrize("harm", ["changed", "cut", "gone"])
def test_damaged_bytes_in_a_file_are_never_served(ada: Assistant, harm: str) -> None:
    artifact = deliver(ada, WORK * 3)
    path = store.path_of(Content.objects.get().sha256)
    packed = path.read_bytes()
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(packed[:-100] if harm == "cut" else packed[:50] + b"xx" + packed[52:])
    assert "damaged" in ada.refused("read_artifact", artifact_id=artifact)["message"]


@pytest.mark.parametrize("harm", ["changed", "gone"])
def test_a_harmed_file_that_is_delivered_again_is_whole_again(ada: Assistant, harm: str) -> None:
    artifact = deliver(ada, WORK * 3)
    path = store.path_of(Content.objects.get().sha256)
    path.unlink() if harm == "gone" else path.write_bytes(b"Evil")
    deliver(ada, WORK * 3)
    assert ada.call("read_artifact", artifact_id=artifact, limit=10)["text"] == WORK[:10]
