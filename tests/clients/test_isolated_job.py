"""A real job from end to end: small fixes to this repository, each by Claude Code in isolation, reviewed and merged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect, sync_playwright

from orchestrator_site.tokens.service import create_token
from tasks.agents.choices import RunState
from tasks.agents.models import Run
from tasks.choices import Status
from tasks.models import Project, Task
from tests.agents.rows import switch_on
from tests.agents.supervised import git
from tests.clients.isolated import Isolated, isolated
from tests.clients.model.script import Json
from tests.clients.network import ROOT, Network
from tests.factories import make_project
from tests.mcp.http_client import HttpClient
from tests.screenshots.camera import chromium

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]
FIXES = {
    "README.md": ("# MCP Task Orchestrator", "# MCP Task Orchestrator\n\nIt keeps what assistants do."),
    "CONTRIBUTING.md": ("# Contributing", "# Contributing\n\nThank you for your time."),
    "docs/states.md": ("# ", "# States: "),
    "docs/bench.md": ("# ", "# Figures: "),
}
"""What each of the subtasks changes: a file, and a first line by another."""


@pytest.fixture
def site(clients: None) -> Iterator[Isolated]:
    """A site in the common network, where the browser is."""
    with isolated(Network(), environment={"ORCHESTRATOR_TOOLSETS": "core,isolation"}) as made:
        yield made


@pytest.fixture
def ours(site: Isolated) -> Path:
    """A clone of this repository, with changes that its user has not committed."""
    clone = site.folder / "ours"
    git(site.folder, "clone", "-q", str(ROOT), str(clone))
    git(clone, "checkout", "-q", "-B", "main")
    (clone / "README.md").write_text((clone / "README.md").read_text() + "\nNot committed.\n")
    return clone


def call(tool: str, **arguments: Any) -> Json:
    return {"text": f"Next: {tool}.", "tool": tool, "arguments": arguments}


def fix(file: str) -> list[Json]:
    """Return what the model says: read the file, replace its beginning, deliver."""
    before, after = FIXES[file]
    first = (ROOT / file).read_text().splitlines()[0]
    return [
        call("Read", file_path=file),
        call("Edit", file_path=file, old_string=first, new_string=first.replace(before, after)),
        call(
            "orchestrator_complete_subtask",
            task_id="{{brief.task_id}}",
            summary=f"{file} says it.",
            detailed_work=f"The first lines of {file} are new.",
        ),
        {"text": "Done."},
    ]


def planned(client: HttpClient) -> str:
    subtasks = [
        {"title": f"Fix {file}", "description": f"Say more in {file}.", "specialist_type": "documenter", "review": True}
        for file in FIXES
    ]
    made = client.call("orchestrator_plan_task", description="Say more in the docs", subtasks=subtasks)
    return str(made["parent_task_id"])


def test_small_fixes_are_planned_done_in_isolation_reviewed_and_merged(site: Isolated, ours: Path) -> None:
    ada = User.objects.create_superuser("ada", password="correct horse")
    project = make_project("ours", name="Ours")
    switch_on(project, ours)
    status, head = git(ours, "status", "--porcelain"), git(ours, "rev-parse", "HEAD")
    with closing(assistant(site, ada, project)) as client:
        plan = planned(client)
        for task in Task.objects.filter(parent__public_id=plan):
            site.play(task, *fix(task.title.removeprefix("Fix ")))
        execute_all(client, plan)
    runs = list(Run.objects.select_related("task", "project", "plan").order_by("task__position"))
    assert [(run.state, run.task.status) for run in runs] == [(RunState.SUCCEEDED, Status.IN_REVIEW)] * len(FIXES)
    with sync_playwright() as playwright, chromium(playwright) as browser:
        page = browser.new_page(base_url=site.site.address)
        page.goto(site.site.link)
        page.locator("main form button").click()
        for run in runs:
            approve(page, run)
            merge(page, run)
    merges = f"orchestrator/merged/{plan}"
    for file, (_, after) in FIXES.items():
        assert after.splitlines()[-1] in git(ours, "show", f"{merges}:{file}")
    assert Task.objects.get(public_id=plan).status == Status.COMPLETED
    assert (git(ours, "status", "--porcelain"), git(ours, "rev-parse", "HEAD")) == (status, head)
    assert (ours / "README.md").read_text().endswith("\nNot committed.\n")


def assistant(site: Isolated, user: User, project: Project) -> HttpClient:
    """Return an assistant that may not review."""
    _, secret = create_token(owner=user, name="laptop", project=project)
    return HttpClient(int(site.site.address.rpartition(":")[2]), secret)


def execute_all(client: HttpClient, plan: str) -> None:
    """Have the whole plan done, and wait for changes instead of polling."""
    answer = client.call("orchestrator_execute_subtask_isolated", parent_task_id=plan)
    assert answer["runs_total"] == len(FIXES)
    while answer.get("counts") != {RunState.SUCCEEDED: len(FIXES)}:
        wait = {"task_id": plan, "action": "wait", "cursor": answer["cursor"]}
        answer = client.call("orchestrator_monitor_isolated_execution", **wait)
        assert not answer["counts"].get(RunState.FAILED), answer


def approve(page: Page, run: Run) -> None:
    page.goto(f"/tasks/{run.task.public_id}/review/")
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("#messages [data-code=approve]")).to_be_visible()


def merge(page: Page, run: Run) -> None:
    page.goto(f"/runs/{run.public_id}/changes/")
    expect(page.locator("ins").first).to_be_visible()
    page.goto(f"/runs/{run.public_id}/merge/")
    page.locator("#merge form[method=post] button.primary").click()
    expect(page.locator("#messages [data-code=merged]")).to_be_visible()
