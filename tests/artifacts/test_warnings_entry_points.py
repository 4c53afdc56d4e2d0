"""What completing answers about work that looks cut off, through every entry point; the work is stored all the same."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from artifacts.models import ArtifactVersion, Upload
from artifacts.services.upload import append
from tests.assistants import Assistant
from tests.factories import make_project
from tests.rest import rest

pytestmark = pytest.mark.django_db
CUT = "Here it is.\n\n```py\ndef add(a, b):\n    retu"
FACT = "The code block that begins in line 3 is not closed."


def test_a_tool_answers_warnings_and_what_to_do(ada: Assistant) -> None:
    answer = ada.complete(ada.plan("A")["A"], detailed_work=CUT)
    assert answer["status"] == "completed" and answer["warnings"] == [FACT]
    assert "orchestrator_update_task(action='request_revision')" in answer["next"]
    assert ArtifactVersion.objects.get().content.size_chars == len(CUT)


def test_what_the_warning_advises_can_be_done(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    ada.complete(task, detailed_work=CUT, file_paths=["a.md"])
    ada.call("update_task", task_id=task, action="request_revision", reason="It was cut off")
    again = ada.complete(task, detailed_work=CUT + "rn a + b\n```\n", file_paths=["a.md"])
    assert again["artifact_info"]["version"] == 2 and "warnings" not in again


def test_a_repeated_call_answers_the_same_warnings(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    first = ada.complete(task, detailed_work=CUT, idempotency_key="k")
    assert ada.complete(task, detailed_work=CUT, idempotency_key="k") == {**first, "replayed": True}


def test_a_complete_artifact_has_no_warnings(ada: Assistant) -> None:
    answer = ada.complete(ada.plan("A")["A"], detailed_work="x = [1]\n", file_paths=["a.py"])
    assert "warnings" not in answer and "request_revision" not in answer["next"]


def test_the_paths_say_what_the_artifact_is(ada: Assistant) -> None:
    answer = ada.complete(ada.plan("A")["A"], detailed_work="x = [1\n", file_paths=["src/../a.py"])
    assert answer["warnings"] == ["The '[' in line 1 is not closed."]


def test_rest_answers_warnings_always() -> None:
    caller, project = rest(), make_project("shop")
    ids = caller.plan(project, "A", "B")
    cut = caller.post(f"/tasks/{ids['A']}/complete", {"summary": "Done", "detailed_work": CUT})
    assert cut["warnings"] == [FACT]
    assert caller.post(f"/tasks/{ids['B']}/complete", {"summary": "Done", "detailed_work": "All."})["warnings"] == []


def _arrived(ada: Assistant, task: str, work: bytes, **more: Any) -> str:
    upload = str(ada.call("store_artifact", action="begin", task_id=task, **more)["upload_id"])
    part = b64encode(work).decode()
    ada.call("store_artifact", action="append", upload_id=upload, offset=0, base64=part)
    return upload


def test_artifacts_that_arrived_in_parts_are_measured_each_by_its_path(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    works = {"a.py": b"x = [1\n", "b.py": b"x = [1]\n", "c.md": CUT.encode(), "d.py": b"\xff(", "e.txt": b"("}
    uploads = [_arrived(ada, task, work, file_paths=[path]) for path, work in works.items()]
    answer = ada.call("complete_subtask", task_id=task, summary="Done", next_action="complete", upload_ids=uploads)
    assert answer["warnings"] == [
        "a.py: The '[' in line 1 is not closed.",
        f"c.md: {FACT}",
        "e.txt: The text ends with '(': \u2026(",
    ]


def test_many_warnings_are_counted(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    uploads = [_arrived(ada, task, b"x = (\n", file_paths=[f"{number}.py"]) for number in range(40)]
    answer = ada.call("complete_subtask", task_id=task, summary="Done", next_action="complete", upload_ids=uploads)
    assert len(answer["warnings"]) == 7 and answer["warnings"][-1] == "There are 34 more like these."


def test_many_long_warnings_keep_the_answer_small(ada: Assistant) -> None:
    task = ada.plan("A", "\u6f22" * 100)["A"]
    paths = ["\u6f22" * 200 + f"/{number}.py" for number in range(40)]
    uploads = [_arrived(ada, task, ("\u6f22" * 50 + " (").encode(), file_paths=[path]) for path in paths]
    call = {"task_id": task, "summary": "Done", "next_action": "complete", "upload_ids": uploads}
    outcome = ada.send("complete_subtask", **call)
    assert outcome.payload["warnings"][-1] == "There are 39 more like these."
    assert len(outcome.text.encode()) < 2000


def test_the_largest_artifacts_are_not_read_for_it(ada: Assistant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("artifacts.truncation.MEASURED_BYTES", 5)
    task = ada.plan("A")["A"]
    upload = _arrived(ada, task, b"x = [1\n", file_paths=["a.py"])
    answer = ada.call("complete_subtask", task_id=task, summary="Done", next_action="complete", upload_ids=[upload])
    assert "warnings" not in answer


def test_a_commit_alone_answers_warnings_too(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    upload = _arrived(ada, task, b"x = [1\n", file_paths=["a.py"])
    answer = ada.call("store_artifact", action="commit", upload_id=upload)
    assert answer["warnings"] == ["a.py: The '[' in line 1 is not closed."]


def test_a_commit_over_rest_answers_warnings_always() -> None:
    caller, project = rest(), make_project("shop")
    task = caller.plan(project, "A")["A"]
    for work, warnings in ((b"x = [1\n", ["a.py: The '[' in line 1 is not closed."]), (b"x = 1\n", [])):
        upload = caller.post("/uploads", {"task_id": task, "file_paths": ["a.py"]}, status=201)["upload_id"]
        append(upload=Upload.objects.get(public_id=upload), offset=0, data=work)
        assert caller.post(f"/uploads/{upload}/commit", {})["warnings"] == warnings


@pytest.mark.parametrize(("sent", "announced", "is_reported"), [(74, 100, True), (75, 100, False), (200, 100, False)])
def test_an_artifact_far_shorter_than_announced_is_reported(
    ada: Assistant, sent: int, announced: int, is_reported: bool
) -> None:
    task = ada.plan("A")["A"]
    answer = ada.complete(task, detailed_work="x" * sent, expected_size=announced)
    assert answer.get("warnings") == ([f"{sent} of {announced} announced bytes arrived."] if is_reported else None)


def test_characters_announced_as_bytes_give_no_false_alarm(ada: Assistant) -> None:
    work = "\N{HIRAGANA LETTER A}" * 100
    for announced in (100, 300):
        assert "warnings" not in ada.complete(ada.plan("A")["A"], detailed_work=work, expected_size=announced)


def test_rest_takes_the_announced_size() -> None:
    caller, project = rest(), make_project("shop")
    task = caller.plan(project, "A")["A"]
    body = {"summary": "Done", "detailed_work": "Short.", "expected_size": 12_534}
    assert caller.post(f"/tasks/{task}/complete", body)["warnings"] == ["6 of 12,534 announced bytes arrived."]
