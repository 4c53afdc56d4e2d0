"""What runs changed, over REST: read, forecast, merged, fetched as a patch, dismissed and swept."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tasks.agents.choices import RunState
from tasks.agents.models import Run
from tasks.agents.places import worktrees_folder
from tasks.models import Project, Task
from tests.agents.collected import make_collected
from tests.agents.repositories import Shop, make_shop
from tests.agents.rows import switch_on
from tests.factories import make_plan, make_project
from tests.rest import Rest, rest

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setattr(settings, "ORCHESTRATOR_HOME", tmp_path / "home")
    return replace(make_shop(tmp_path / "git"), worktrees=worktrees_folder())


@pytest.fixture
def project(shop: Shop) -> Project:
    project = make_project("ledger")
    switch_on(project, shop.top, keep_days=0)
    return project


@pytest.fixture
def plan(project: Project) -> Task:
    return make_plan(project, 3)


@pytest.fixture
def ada() -> Rest:
    return rest()


def _run(plan: Task, shop: Shop, number: int = 1, **files: str) -> Run:
    task = Task.objects.select_related("project").filter(parent=plan).order_by("position")[number - 1]
    return make_collected(task, shop, number, **(files or {"new.txt": "new\n"}))


def test_a_diff_is_read(ada: Rest, plan: Task, shop: Shop) -> None:
    run = _run(plan, shop)
    found = ada.get(f"/runs/{run.public_id}/diff")
    assert "+new" in found["diff"]
    assert (found["base_commit"], found["head_commit"]) == (run.base_commit, run.head_commit)


def test_a_patch_is_what_git_applies(ada: Rest, plan: Task, shop: Shop) -> None:
    run = _run(plan, shop)
    response = ada.send("GET", f"/runs/{run.public_id}/patch")
    assert (response.status_code, response["Content-Type"]) == (200, "text/x-patch; charset=utf-8")
    subprocess.run(["git", "apply"], cwd=shop.top, input=response.content, check=True)
    assert (shop.top / "new.txt").read_text() == "new\n"
    assert ada.send("PATCH", f"/runs/{run.public_id}/patch", {}).status_code == 405


def test_a_merge_is_rehearsed_and_then_done(ada: Rest, plan: Task, shop: Shop) -> None:
    run, checkout = _run(plan, shop), shop.state()
    seen = ada.post(f"/runs/{run.public_id}/merge", {})
    assert (seen["commit"], seen["conflicts"], seen["files_total"]) == (None, [], 1)
    body = {"dry_run": False, "expected": seen["target_before"]}
    done = ada.post(f"/runs/{run.public_id}/merge", body, Idempotency_Key="k")
    assert shop.git("rev-parse", done["target"]) == done["commit"]
    assert shop.state() == checkout
    assert ada.get(f"/runs/{run.public_id}")["merged_commit"] == done["commit"]
    assert ada.post(f"/runs/{run.public_id}/merge", body, Idempotency_Key="k") == done
    assert ada.refused(409, "POST", f"/runs/{run.public_id}/merge", body)["code"] == "conflict"


def test_the_mode_patch_names_where_the_patch_is(ada: Rest, plan: Task, shop: Shop) -> None:
    run = _run(plan, shop)
    assert ada.post(f"/runs/{run.public_id}/merge", {"mode": "patch"})["patch"] == f"/api/v1/runs/{run.public_id}/patch"


def test_a_target_that_moved_is_not_like_other_conflicts(ada: Rest, plan: Task, shop: Shop) -> None:
    run = _run(plan, shop)
    shop.git("branch", "other")
    body = {"target": "other", "dry_run": False, "expected": "0" * 40}
    ada.refused(412, "POST", f"/runs/{run.public_id}/merge", body)
    ada.refused(404, "POST", f"/runs/{run.public_id}/merge", {"target": "nowhere"})
    ada.refused(409, "POST", f"/runs/{run.public_id}/merge", {"target": "main", "dry_run": False})


def test_writers_rehearse_a_merge_and_readers_do_not(plan: Task, shop: Shop) -> None:
    run, writer, reader = _run(plan, shop), rest(scopes=("read", "write")), rest(scopes=("read",))
    assert writer.post(f"/runs/{run.public_id}/merge", {})["files_total"] == 1
    assert writer.refused(403, "POST", f"/runs/{run.public_id}/merge", {"dry_run": False})["code"] == "forbidden"
    assert reader.refused(403, "POST", f"/runs/{run.public_id}/merge", {})["code"] == "forbidden"


@pytest.mark.parametrize("state", [RunState.RUNNING, RunState.TAMPERED])
def test_what_is_not_to_be_merged_is_refused(ada: Rest, plan: Task, shop: Shop, state: str) -> None:
    run = _run(plan, shop)
    Run.objects.filter(pk=run.pk).update(state=state, ended_at=None if state == RunState.RUNNING else run.ended_at)
    for body in ({}, {"dry_run": False}):
        assert ada.refused(409, "POST", f"/runs/{run.public_id}/merge", body)["code"] == "conflict"
    ada.refused(409, "GET", f"/runs/{run.public_id}/patch")


def test_work_that_is_dismissed_is_not_merged(ada: Rest, plan: Task, shop: Shop) -> None:
    run = _run(plan, shop)
    assert ada.post(f"/runs/{run.public_id}/dismiss")["dismissed_at"]
    for verb in ("merge", "dismiss"):
        ada.refused(409, "POST", f"/runs/{run.public_id}/{verb}", {})
    assert shop.git("rev-parse", run.branch) == run.head_commit


def test_a_run_without_changes_has_no_diff(ada: Rest, plan: Task, shop: Shop) -> None:
    run = _run(plan, shop)
    Run.objects.filter(pk=run.pk).update(head_commit="")
    for below in ("diff", "patch"):
        ada.refused(409, "GET", f"/runs/{run.public_id}/{below}")


def _forecast(ada: Rest, task: Task, query: str = "") -> dict[str, Any]:
    found: dict[str, Any] = ada.get(f"/projects/ledger/runs/forecast?task={task.public_id}{query}")
    return found


def test_a_forecast_names_the_runs_that_conflict(ada: Rest, plan: Task, shop: Shop) -> None:
    shop.git("branch", "other")
    first = _run(plan, shop, 1, **{"a.txt": "mine\n"})
    second = _run(plan, shop, 2, **{"a.txt": "yours\n"})
    _run(plan, shop, 3, **{"new.txt": "new\n"})
    found = _forecast(ada, plan, "&target=other")
    (clash,) = found["clashes"]
    assert {clash["left"], clash["right"]} == {first.public_id, second.public_id}
    assert clash["paths"] == ["a.txt"]
    assert (found["target"], len(found["behind"])) == ("other", 3)


def test_a_forecast_is_made_against_what_the_plan_has_merged(ada: Rest, plan: Task, shop: Shop) -> None:
    first = _run(plan, shop, 1, **{"a.txt": "mine\n"})
    second = _run(plan, shop, 2, **{"a.txt": "yours\n"})
    (between,) = _forecast(ada, plan)["clashes"]
    assert {between["left"], between["right"]} == {first.public_id, second.public_id}
    target = ada.post(f"/runs/{first.public_id}/merge", {"dry_run": False})["target"]
    found = _forecast(ada, plan)
    assert {found["clashes"][0]["left"], found["clashes"][0]["right"]} == {target, second.public_id}


def test_a_forecast_of_no_changes_is_empty(ada: Rest, plan: Task) -> None:
    assert _forecast(ada, plan)["clashes"] == []
    ada.refused(404, "GET", "/projects/ledger/runs/forecast?task=task_00000000")


def test_a_sweep_is_previewed_and_then_removes_old_worktrees(ada: Rest, plan: Task, shop: Shop) -> None:
    old, at_work = _run(plan, shop, 1), _run(plan, shop, 2)
    Run.objects.filter(pk=at_work.pk).update(state=RunState.RUNNING, ended_at=None)
    preview = ada.get("/projects/ledger/runs/sweep")
    assert [row["run_id"] for row in preview["results"]] == [old.public_id]
    assert ada.post("/projects/ledger/runs/sweep") == {"removed": 1, "kept": 0}
    assert (Path(old.worktree["folder"]).exists(), Path(at_work.worktree["folder"]).exists()) == (False, True)
    assert shop.git("rev-parse", old.branch) == old.head_commit
    assert ada.get(f"/runs/{old.public_id}")["removed_at"]
