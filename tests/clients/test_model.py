"""The model says only what its script and the results that it was shown allow, and never goes on for ever."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.model.script import Conversation, Result, ScriptError, filled, next_turn
from tests.clients.network import ROOT

PLAN = Result("mcp__board__orchestrator_plan_task", 'Output:\n{"id": "task_1", "subtasks": [{"number": 3}]} and more')
CLAIM = Result("mcp__board__orchestrator_execute_subtask", '{"id": "task_2"}')


def test_facts_are_taken_from_the_results_with_their_types() -> None:
    said = {"id": "{{plan_task.id}}", "numbers": ["{{plan_task.subtasks.0.number}}"], "text": "after {{last.id}}"}
    assert filled(said, [PLAN, CLAIM]) == {"id": "task_1", "numbers": [3], "text": "after task_2"}


@pytest.mark.parametrize("reference", ["{{last.name}}", "{{plan_task.subtasks.1}}", "{{complete_subtask.id}}"])
def test_a_fact_that_was_not_shown_ends_the_script(reference: str) -> None:
    with pytest.raises(ScriptError, match="was not shown"):
        filled(reference, [PLAN, CLAIM])


def test_a_tool_that_is_not_offered_ends_the_script() -> None:
    script = [{"tool": "orchestrator_plan_task", "arguments": {}}]
    with pytest.raises(ScriptError, match="not among the tools"):
        next_turn(script, Conversation(offered=["Bash"], results=[]))


def test_a_script_that_is_played_to_its_end_does_not_begin_again() -> None:
    with pytest.raises(ScriptError, match="no turn after 1"):
        next_turn([{"text": "Done."}], Conversation(offered=["Bash"], results=[PLAN]))


def test_the_model_ends_by_itself(tmp_path: Path) -> None:
    (tmp_path / "script.json").write_text(json.dumps([]))
    command = [sys.executable, "-m", "tests.clients.model", "--folder", str(tmp_path), "--max-seconds", "0"]
    assert subprocess.run(command, cwd=ROOT, timeout=30).returncode == 0
