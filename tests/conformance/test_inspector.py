"""The official Inspector: strict about how the tools are described, and calling every one of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.conformance import programs
from tests.conformance.programs import Ended
from tests.mcp.stdio_client import ROOT, environment
from tests.site.processes import manage, start

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(180)]

NOT_AUTHORIZED, TOOL_FAILED = 3, 5
# Each request is a connection of its own, so that none can build on what an earlier one held: one task for each verb.
PLAN = [{"title": title, "description": "Do it", "specialist_type": "tester"} for title in ("one", "two", "three")]
ISOLATED = {
    "execute_subtask_isolated": {"task_ids": ["task_00000000"]},
    "spawn_isolated_session": {"task_id": "task_00000000"},
    "merge_isolated_work": {"run_id": "run_0000000000"},
}
MINT = """
from orchestrator_site.accounts.owner import local_owner
from orchestrator_site.tokens.service import create_token
print(create_token(owner=local_owner(), name="inspector", scopes=["admin"])[1])
"""


@dataclass
class Inspector:
    """Runs the Inspector once for each request."""

    folder: Path
    project: Path
    server: list[str]
    called: set[str] = field(default_factory=set)

    @property
    def is_local(self) -> bool:
        """Whether it starts the server by itself."""
        return self.server[0] == sys.executable

    def run(self, method: str, *words: str) -> Ended:
        options = ["--cli", *self.server, "--format", "json", "--quiet"]
        return programs.run("mcp-inspector", *options, "--method", method, *words, folder=self.folder)

    def send(self, tool: str, **arguments: Any) -> Ended:
        self.called.add(tool)
        return self.run("tools/call", "--tool-name", tool, "--tool-args-json", json.dumps(arguments))

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads(self.send(f"orchestrator_{tool}", **arguments).result["content"][0]["text"])
        return facts

    def listed(self) -> set[str]:
        return {tool["name"] for tool in self.run("tools/list", "--strict").result["tools"]}


@dataclass(frozen=True, slots=True)
class Served:
    """A site that runs, with a token for it and the one project that the token has worked on."""

    address: str
    secret: str
    project: Path

    def seen_by_inspector(self, folder: Path, *words: str, secret: str = "") -> Inspector:
        header = f"Authorization: Bearer {secret or self.secret}"
        return Inspector(folder, self.project, [self.address, "--transport", "http", "--header", header, *words])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve the site with every tool."""
    folder = tmp_path_factory.mktemp("inspected")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORCHESTRATOR_HOME", str(folder / "home"))
        patch.setenv("ORCHESTRATOR_TOOLSETS", "all")
        patch.setenv("DJANGO_SETTINGS_MODULE", "orchestrator_site.settings")
        patch.delenv("DATABASE_URL", raising=False)
        with start(folder) as server:
            server.wait_until_greeted()
            minted = manage("shell", "--no-imports", "-v", "0", "-c", MINT)
            assert minted.returncode == 0, minted.stderr
            yield Served(f"{server.address}/mcp", minted.stdout.strip(), folder)


@pytest.fixture(params=["legacy", "modern", "stdio"])
def inspector(request: pytest.FixtureRequest, tmp_path: Path) -> Inspector:
    """Return the Inspector in front of the site in either era, or of a server that it starts by itself."""
    if request.param == "stdio":
        return Inspector(tmp_path, tmp_path, _stdio_server(tmp_path))
    site: Served = request.getfixturevalue("site")
    return site.seen_by_inspector(tmp_path, "--protocol-era", request.param)


def _stdio_server(folder: Path) -> list[str]:
    environ = environment(folder / "home", trial=False)
    given = [f"{name}={environ[name]}" for name in ("ORCHESTRATOR_HOME", "DJANGO_SETTINGS_MODULE")]
    command = [sys.executable, str(ROOT / "manage.py"), "mcp_serve", "--toolsets", "all"]
    return [*command, "--cwd", str(folder), *(word for each in given for word in ("-e", each))]


def test_every_tool_passes_strict_checks_and_can_be_called(inspector: Inspector) -> None:
    begun = inspector.call("initialize_session", project_dir=str(inspector.project))
    assert begun["session_id"]
    plan = inspector.call("plan_task", description="A job", subtasks=PLAN)
    one, two, three = (row["task_id"] for row in plan["subtasks"])
    assert inspector.call("execute_subtask", task_id=one)["task_id"] == one
    work = {"summary": "Done.", "detailed_work": "All of it.", "next_action": "complete"}
    done = inspector.call("complete_subtask", task_id=two, **work)
    artifact_id = done["artifact_info"]["artifact_id"]
    assert inspector.call("read_artifact", artifact_id=artifact_id)["text"] == work["detailed_work"]
    part = {"action": "begin", "task_id": three, "file_paths": ["a.md"], "text": "A needle."}
    upload = inspector.call("store_artifact", **part)["upload_id"]
    stored = inspector.call("store_artifact", action="commit", upload_id=upload)["artifact_info"]["artifact_id"]
    assert stored in [hit["artifact_id"] for hit in inspector.call("search", query="needle")["hits"]]
    assert inspector.call("list_artifacts", path="a.md")["artifacts"][0]["artifact_id"] == stored
    exported = inspector.send("orchestrator_export_artifact", artifact_id=stored, path="out/a.md")
    if inspector.is_local:
        assert (inspector.project / "out/a.md").read_text() == "A needle."
    else:
        assert exported.code == TOOL_FAILED
    assert inspector.call("update_task", task_id=three, action="cancel")
    assert inspector.call("maintenance_coordinator", action="validate_structure")["report"]
    assert inspector.call("template_manager", action="list_templates")["templates_total"] == 8
    assert inspector.call("pattern_extractor", action="analyze_project")["next"]
    assert inspector.call("specialist_intelligence", action="next_task")["next"]
    assert inspector.call("workload_manager", action="check_capacity")["next"]
    assert inspector.call("get_status")
    assert inspector.call("health_check")["pid"]
    assert inspector.call("shutdown_prepare")["uploads_lost"] == 0
    assert inspector.call("reconnect_test")["would_restart"] is True
    assert inspector.call("monitor_isolated_execution")["total"] == 0
    for name, given in ISOLATED.items():  # it is switched off
        assert inspector.send(f"orchestrator_{name}", **given).code == TOOL_FAILED
    assert inspector.call("context_library", action="load_context")["total"] == 0
    assert inspector.call("restart_server")["restarted"] is True
    assert inspector.call("synthesize_results", parent_task_id=plan["parent_task_id"])
    assert inspector.called == inspector.listed()


def test_an_error_of_a_tool_is_one_for_the_inspector_too(inspector: Inspector) -> None:
    inspector.call("initialize_session", project_dir=str(inspector.project))
    assert inspector.send("orchestrator_execute_subtask", task_id="task_00000000").code == TOOL_FAILED


def test_a_wrong_token_does_not_connect(site: Served, tmp_path: Path) -> None:
    assert site.seen_by_inspector(tmp_path, secret="mto_wrong").run("tools/list").code == NOT_AUTHORIZED
