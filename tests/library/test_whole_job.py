"""A whole job by the SDK's client: template, plan, gated work, attested, finished, pattern, second plan."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
from mcp import Client, StdioServerParameters

from tests.agents.supervised import git
from tests.mcp.stdio_client import ROOT, environment

TEMPLATE = """\
template: change
title: "Change {what}"
parameters:
  what: {required: true}
steps:
  - {key: build, title: "Build {what}", description: "Build it.", specialist: implementer, gates: [{command: test}]}
  - {key: check, title: "Check {what}", description: "Check it.", specialist: tester, needs: [build], gates: [report]}
"""
REPORT = '<testsuite><testcase name="test_the_price"/></testsuite>'
COMMANDS = {"test": {"argv": [sys.executable, "-c", "print('1 passed')"]}}
ALLOW = f"""
from tasks.models import Project
project = Project.objects.get()
project.settings = {{"gates": {{"commands": {COMMANDS!r}}}}}
project.save()
"""


class Job:
    """A connection in a project's folder, and the shell of its user beside it."""

    def __init__(self, client: Client, home: Path, folder: Path) -> None:
        self._client, self._environment, self._folder = client, environment(home, trial=False), folder

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        result = await self._client.call_tool(f"orchestrator_{tool}", arguments)
        return dict(json.loads(result.content[0].text))  # type: ignore[union-attr]

    def manage(self, *words: str, **variables: str) -> str:
        done = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *words], cwd=self._folder, env=self._environment | variables,
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.strip()

    async def complete(self, task_id: str, **more: Any) -> dict[str, Any]:
        return await self.call("complete_subtask", task_id=task_id, summary="Done", detailed_work="All of it", **more)


def test_a_whole_job_from_template_to_template(fresh_home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    git(folder, "init", "--quiet")
    server = StdioServerParameters(
        command=sys.executable, args=[str(ROOT / "manage.py"), "mcp_serve", "--toolsets", "core,templates"],
        env=environment(fresh_home, trial=False), cwd=folder,
    )  # fmt: skip

    async def run() -> None:
        async with Client(server) as client:
            await _do(Job(client, fresh_home, folder))

    anyio.run(run)


async def _do(job: Job) -> None:
    await job.call("initialize_session")
    job.manage("shell", "-c", ALLOW)
    token = job.manage("token", "create", "attest", "--scopes", "attest")
    assert (await job.call("template_manager", action="create_template", text=TEMPLATE))["name"] == "change"

    made = await job.call("plan_task", template="change", parameters={"what": "the price"})
    build, check = (task["task_id"] for task in made["subtasks"])
    await job.call("execute_subtask", task_id=build)
    refused = await job.complete(build, evidence=[{"gate": "test", "exit_code": 0}])
    assert (refused["code"], [gate["gate"] for gate in refused["details"]["gates"]]) == ("not_ready", ["test"])
    job.manage("attest", "test", ORCHESTRATOR_ATTEST_TOKEN=token)
    assert (await job.complete(build))["status"] == "completed"
    finished = await job.complete(check, evidence=[{"gate": "report", "report": REPORT}])
    assert finished["parent_task_progress"]["status"] == "completed"

    plan_id = made["parent_task_id"]
    drafted = await job.call("pattern_extractor", action="extract_patterns", source_project_id=plan_id)
    text = drafted["text"]
    saved = await job.call("pattern_extractor", action="save_template", text=text, source_project_id=plan_id)
    (parameter,) = (each["name"] for each in drafted["parameters"])
    second = await job.call("plan_task", template=saved["name"], parameters={parameter: "the colour"})
    assert [task["title"] for task in second["subtasks"]] == ["Build the colour", "Check the colour"]
    briefed = await job.call("execute_subtask", task_id=second["subtasks"][0]["task_id"])
    assert "manage.py attest test" in briefed["brief"]
