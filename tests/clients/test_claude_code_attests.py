"""Claude Code is kept back by a gate, runs `manage.py attest` in its own shell, and completes its task."""

from __future__ import annotations

import sys
from pathlib import Path

from tasks.choices import Rung
from tests.agents.supervised import git
from tests.clients.checks import check_addresses
from tests.clients.model.script import Json
from tests.clients.network import ROOT
from tests.clients.programs import claude_code, stdio_entry
from tests.clients.stage import Stage
from tests.clients.test_claude_code import check_ended
from tests.site.processes import manage
from tests.storm.audit import audit

PROMPT = "Build the till, and show that it works."
MAKE_PROJECT = """
from tasks.models import Project
commands = {"test": {"argv": ["sh", "check.sh"]}}
Project.objects.create(slug="shop", name="Shop", root_path=%r, settings={"gates": {"commands": commands}})
"""
TASK = {"task_id": "{{plan_task.subtasks.0.task_id}}", "session_id": "{{initialize_session.session_id}}"}


def call(tool: str, **arguments: object) -> Json:
    return {"text": f"Next: {tool}.", "tool": f"orchestrator_{tool}", "arguments": arguments}


def script(project: Path) -> list[Json]:
    subtask = {"title": "Till", "description": "Build it", "specialist_type": "implementer"}
    subtask |= {"gates": [{"command": "test"}]}
    attest = f"{sys.executable} {ROOT / 'manage.py'} attest test"
    complete = call(
        "complete_subtask", **TASK, lease_number="{{execute_subtask.lease_number}}", summary="Built.",
        detailed_work="The till rings.", next_action="complete",
    )  # fmt: skip
    return [
        call("initialize_session", project_dir=str(project)),
        call("plan_task", session_id=TASK["session_id"], description="Build a till", subtasks=[subtask]),
        call("execute_subtask", **TASK),
        complete,
        {"text": "Next: attest.", "tool": "Bash", "arguments": {"command": attest, "description": "Attest"}},
        complete,
        {"text": "The till is built."},
    ]


def test_it_attests_in_its_own_shell(stage: Stage, fresh_home: Path) -> None:
    (stage.project / "check.sh").write_text("echo the till rings\n")
    git(stage.project, "init", "-q")
    assert manage("shell", "-c", MAKE_PROJECT % str(stage.project)).returncode == 0
    token = manage("token", "create", "attest", "--scopes", "attest").stdout.strip()
    stage.play(PROMPT[:14], *script(stage.project))
    home = {"ORCHESTRATOR_HOME": str(fresh_home)}
    ran = claude_code(
        stage, stdio_entry(sys.executable, ROOT / "manage.py", **home), prompt=PROMPT, tools="Bash",
        ORCHESTRATOR_ATTEST_TOKEN=token, **home,
    )  # fmt: skip
    assert ran.exit_code == 0, ran.err + ran.out
    check_addresses(stage)
    check_ended(ran)
    *_, refused, attested, completed = stage.shown()
    assert "not_ready" in refused.text
    assert "manage.py attest test" in refused.text
    assert "the till rings" in attested.text
    assert "is met" in attested.text
    assert completed.facts["artifact_info"]
    with audit(fresh_home) as found:
        found.check_everything()
        assert found.rows("SELECT status FROM tasks_task WHERE is_leaf") == [("completed",)]
        assert found.rows("SELECT gate, rung, passed FROM tasks_evidence") == [("test", Rung.OBSERVED, 1)]
