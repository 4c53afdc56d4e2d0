"""How often each call of the loop asks the database, besides beginning and ending its transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.assistants import Assistant, completion, subtask

CHAIN = [subtask("First"), subtask("Second", dependencies=["First"]), subtask("Third", dependencies=["Second"])]


def _statements(call: Callable[..., Any], tool: str, **arguments: Any) -> int:
    with CaptureQueriesContext(connection) as captured:
        call(tool, **arguments)
    return sum("SAVEPOINT" not in query["sql"] for query in captured.captured_queries)


@pytest.fixture
def task_ids(ada: Assistant) -> list[str]:
    """Return the tasks of a chain, of which the first is done."""
    planned = ada.call("plan_task", description="A job", subtasks=CHAIN)
    ids = [row["task_id"] for row in planned["subtasks"]]
    ada.complete(ids[0])
    return ids


def test_execute(ada: Assistant, task_ids: list[str]) -> None:
    assert _statements(ada.call, "execute_subtask", task_id=task_ids[1]) <= 9


def test_execute_the_next_one(ada: Assistant, task_ids: list[str]) -> None:
    assert _statements(ada.call, "execute_subtask") <= 9


def test_complete(ada: Assistant, task_ids: list[str]) -> None:
    ada.call("execute_subtask", task_id=task_ids[1])
    assert _statements(ada.call, "complete_subtask", **completion(task_ids[1])) <= 15


def test_complete_what_finishes_the_plan(ada: Assistant, task_ids: list[str]) -> None:
    ada.complete(task_ids[1])
    ada.call("execute_subtask", task_id=task_ids[2])
    assert _statements(ada.call, "complete_subtask", **completion(task_ids[2])) <= 20


def test_status(ada: Assistant, task_ids: list[str]) -> None:
    assert _statements(ada.call, "get_status", task_id=task_ids[0]) <= 5
    assert _statements(ada.call, "get_status") <= 4


def test_arrive_and_read(ada: Assistant, task_ids: list[str]) -> None:
    ada.call("execute_subtask", task_id=task_ids[1])
    assert _statements(ada.call, "initialize_session") <= 7
    done = ada.complete(task_ids[1])
    assert _statements(ada.call, "read_artifact", artifact_id=done["artifact_info"]["artifact_id"]) <= 2


def test_plan(ada: Assistant, task_ids: list[str]) -> None:
    assert _statements(ada.call, "plan_task", description="A job", subtasks=CHAIN) <= 10
