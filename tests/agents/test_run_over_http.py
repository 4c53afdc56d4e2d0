"""A run at a site that runs, over HTTP and in both eras of MCP: what its token may do, and a wait for its changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.mcp.secured import SecuredSite, secured
from tests.mcp.stdio_client import DEADLINE_SECONDS, said, wait_for
from tests.site.processes import manage

MONITOR = "orchestrator_monitor_isolated_execution"
BEGIN = """
import json
from django.db import connections
from tasks.agents.choices import RunState
from tasks.agents.services.supervise import session_actor
from tasks.agents.services.tokens import new_token
from tasks.services.claim import claim
from tests.agents.rows import make_run
from tasks.models import Project
from tests.factories import make_task
project = Project.objects.get(slug='ledger')
own, other = make_task(project), make_task(project)
run = make_run(own, RunState.RUNNING)
made = claim(task=own, actor=session_actor(run))
run.lease_number, run.session = made.task.lease_number, made.task.lease_session
run.save(update_fields=["lease_number", "session"])
print(json.dumps({"run": run.pk, "own": own.public_id, "other": other.public_id, "secret": new_token(run)}))
"""
END = "UPDATE agents_run SET state = 'failed', ended_at = queued_at, supervisor_id = NULL WHERE id = ?"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[SecuredSite]:
    with secured(
        tmp_path, {"laptop": {"scopes": ["read", "write"], "project": "ledger"}}, ORCHESTRATOR_TOOLSETS="all"
    ) as site:
        yield site


@pytest.fixture
def ids(site: SecuredSite) -> dict[str, Any]:
    """A run at work, with its task and another one."""
    done = manage("shell", "--no-imports", "-v", "0", "-c", BEGIN)
    assert done.returncode == 0, done.stderr
    made: dict[str, Any] = json.loads(done.stdout)
    site.secrets["run"] = made["secret"]
    return made


def test_an_agent_does_its_task_and_nothing_else_until_its_run_is_over(site: SecuredSite, ids: dict[str, Any]) -> None:
    modern, legacy = site.client("run"), site.client("run", modern=False)
    for agent in (modern, legacy):
        answer = agent.call("orchestrator_execute_subtask", task_id=ids["own"])
        assert answer.get("renewed") is True, answer
        for tool, arguments in {
            "orchestrator_execute_subtask": {"task_id": ids["other"]},
            "orchestrator_update_task": {"task_id": ids["own"], "action": "cancel"},
            "orchestrator_spawn_isolated_session": {"task_id": ids["other"]},
            "orchestrator_monitor_isolated_execution": {"task_id": ids["own"], "action": "kill"},
        }.items():
            assert agent.call(tool, **arguments)["code"] == "forbidden", tool
    work = {"summary": "Done.", "detailed_work": "All of it."}
    done = legacy.call("orchestrator_complete_subtask", task_id=ids["own"], **work)
    assert done["artifact_info"]["artifact_id"]
    credentials: dict[str, str | None] = {"Authorization": f"Bearer {ids['secret']}"}
    assert site.knock(credentials, verb="GET", target="/api/v1/tasks").status == 403
    assert site.knock(credentials).status == 200
    site.ask(END, ids["run"])
    wait_for(lambda: site.knock(credentials).status == 401, "the end of the token")


def test_a_wait_returns_at_the_first_change_and_holds_up_no_other_call(site: SecuredSite, ids: dict[str, Any]) -> None:
    waiting, other = site.client("laptop"), site.client("laptop")
    cursor = other.call(MONITOR, task_id=ids["own"])["cursor"]
    named = {"name": MONITOR, "arguments": {"task_id": ids["own"], "action": "wait", "cursor": cursor}}
    with ThreadPoolExecutor() as threads:
        answer = threads.submit(waiting.request, "tools/call", **named)
        assert other.call("orchestrator_get_status", task_id=ids["own"])["status"] == "active"
        assert not answer.done()
        other.call(MONITOR, task_id=ids["own"], action="message", text="Use cents.")
        assert said(answer.result(DEADLINE_SECONDS))["changed"] is True
