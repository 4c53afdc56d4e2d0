"""What was committed is answered as done, whatever happens to the duties that follow the commit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.db import OperationalError
from django.test import Client
from django.urls import reverse

from artifacts.jobs import index_search
from artifacts.models import SearchBacklog
from artifacts.search import index
from orchestrator_site.kernel.commits import UNCHANGED, watched
from tasks.choices import Status
from tasks.models import Project, Task
from tests.assistants import Assistant, completion
from tests.factories import make_user
from tests.rest import rest

pytestmark = pytest.mark.django_db(transaction=True)
LONG = "Every word is indexed after the commit.\n" * 3000
ROOT = Path(__file__).resolve().parent.parent.parent


def fails(error: Exception) -> Callable[..., Any]:
    def duty(*_: Any, **__: Any) -> None:
        raise error

    return duty


@pytest.fixture
def task(ada: Assistant) -> str:
    return ada.plan("Write")["Write"]


@pytest.fixture
def no_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("artifacts.search.index._pieces", fails(OperationalError("database or disk is full")))


def status_of(task: str) -> str:
    return Task.objects.get(public_id=task).status


@pytest.mark.usefixtures("no_index")
def test_a_delivery_whose_index_fails_is_done_with_a_warning_and_indexed_later(
    ada: Assistant, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = ada.complete(task, detailed_work=LONG)
    assert (answer["status"], len(answer["warnings"])) == (Status.COMPLETED, 1)
    assert SearchBacklog.objects.count() == 1
    monkeypatch.undo()
    index_search()
    assert not SearchBacklog.objects.exists()


@pytest.mark.parametrize("error", [UnicodeEncodeError("ascii", "ü", 0, 1, "no"), RuntimeError("any"), MemoryError()])
def test_a_delivery_whose_mirror_fails_is_done_with_a_warning(
    ada: Assistant, task: str, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    Project.objects.update(settings={"mirror": True})
    monkeypatch.setattr("artifacts.services.mirror.mirror", fails(error))
    answer = ada.complete(task, file_paths=["übersicht/★.md"])
    assert (answer["status"], len(answer["warnings"])) == (Status.COMPLETED, 1)


def test_a_mirror_that_lacks_a_file_is_a_warning(ada: Assistant, task: str) -> None:
    Project.objects.update(settings={"mirror": True})
    (ada.folder / ".task_orchestrator" / "artifacts").write_text("in the way")
    assert len(ada.complete(task, file_paths=["a.md"])["warnings"]) == 1


def test_duties_of_one_kind_are_tried_once(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def fails_after_noting(owner: int) -> None:
        tried.append(owner)
        raise OperationalError("database is locked")

    monkeypatch.setattr("artifacts.search.index.catch_up_with", fails_after_noting)
    with watched() as call:
        index._index_later([1, 3, 5])
    assert (tried, call.failed) == ([1], ["index_search"])


def test_a_commit_whose_staged_bytes_stay_is_done_with_a_warning(
    ada: Assistant, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada.call("execute_subtask", task_id=task)
    upload = ada.call("store_artifact", action="begin", task_id=task)["upload_id"]
    ada.call("store_artifact", action="append", upload_id=upload, offset=0, text="The work")
    monkeypatch.setattr("artifacts.storage.staging.discard", fails(RuntimeError("any")))
    assert len(ada.call("store_artifact", action="commit", upload_id=upload)["warnings"]) == 1


@pytest.mark.usefixtures("no_index")
def test_rest_answers_it_as_done_with_a_warning(ada: Assistant, task: str) -> None:
    answer = rest().send("POST", f"/tasks/{task}/complete", {"summary": "Done", "detailed_work": LONG})
    assert (answer.status_code, status_of(task), answer.has_header("Warning")) == (200, Status.COMPLETED, True)


@pytest.mark.usefixtures("no_index")
def test_a_page_answers_it_as_done_with_a_warning(client: Client, ada: Assistant, task: str) -> None:
    client.force_login(make_user(is_superuser=True))
    form = {"summary": "Done", "work": LONG, "kind": "general"}
    answer = client.post(reverse("task-complete", args=[task]), form)
    tags = [message.level_tag for message in get_messages(answer.wsgi_request)]
    assert (answer.status_code, status_of(task), sorted(tags)) == (302, Status.COMPLETED, ["success", "warning"])


def test_a_failure_after_the_commit_does_not_say_that_nothing_was_changed(
    ada: Assistant, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("artifacts.tools.deliver._next_step", fails(OperationalError("disk I/O error")))
    outcome = ada.send("complete_subtask", **completion(task))
    assert (outcome.payload["code"], status_of(task)) == ("transient", Status.COMPLETED)
    assert UNCHANGED not in outcome.text


@pytest.mark.parametrize("error", [OperationalError("database is locked"), RuntimeError("any")])
def test_a_failure_before_the_commit_says_that_nothing_was_changed(
    ada: Assistant, task: str, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr("artifacts.tools.deliver.deliver", fails(error))
    payload = ada.refused("complete_subtask", **completion(task))
    assert (payload["code"], UNCHANGED in payload["next"]) == ("transient", True)


def test_every_duty_after_a_commit_goes_through_one_helper() -> None:
    apps = [ROOT / name for name in ("orchestrator_site", "tasks", "artifacts", "maintenance")]
    users = [path.name for app in apps for path in app.rglob("*.py") if "on_commit(" in path.read_text("utf-8")]
    assert users == ["commits.py"]
