"""Routing while the database can only be read, as after a failed upgrade: answered as ever, and nothing is kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from orchestrator_site.kernel import read_only
from tasks.insights.models import Suggestion
from tasks.models import Task
from tests.assistants import Assistant

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def board(ada: Assistant, tmp_path: Path) -> Iterator[Assistant]:
    ada.plan("Write tests")
    file = tmp_path / "notice"
    file.touch()
    read_only.start(file)
    yield ada
    read_only.stop()
    connection.close()


@pytest.mark.parametrize("is_new", [False, True])
def test_every_reading_action_is_answered(board: Assistant, is_new: bool) -> None:
    assistant = Assistant(board.folder) if is_new else board
    for action in ("analyze_performance", "update_expertise", "get_workload", "next_task", "estimate"):
        assert assistant.call("specialist_intelligence", action=action)["next"]
    answer = assistant.call("specialist_intelligence", action="suggest_assignment", task_requirements="Write tests")
    assert answer["suggestions"] and "suggestion_id" not in answer
    assert not Suggestion.objects.exists()


def test_an_order_waits(board: Assistant) -> None:
    task_id = Task.objects.get(title="Write tests").public_id
    assert board.refused("workload_manager", action="priority_boost", task_id=task_id)["code"] == "transient"
