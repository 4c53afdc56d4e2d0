"""Maintenance over REST: operations, findings, the archive, tombstones and schedules."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from django_q.models import OrmQ
from pytest_django import Settings

from maintenance.api import operations
from maintenance.choices import Action, Cause, Severity, State
from maintenance.models import Operation, Upgrade
from maintenance.services import undo as undoing
from maintenance.services.backup import DATABASE
from maintenance.services.coordinate import Answer, Request
from maintenance.services.purge import purge
from orchestrator_site.models import Restart
from tasks.choices import Status, Verb
from tasks.identity.actor import Actor
from tasks.models import Project, Task
from tests.factories import (
    make_event,
    make_finding,
    make_operation,
    make_plan,
    make_project,
    make_session,
    make_task,
    make_tombstone,
)
from tests.rest import Rest, rest

pytestmark = pytest.mark.django_db

AT = "/projects/shop"


@pytest.fixture
def ada() -> Rest:
    return rest()


@pytest.fixture
def project() -> Project:
    return make_project("shop")


@pytest.fixture
def over(project: Project) -> Task:
    """A task whose lease is over."""
    ended = timezone.now() - timedelta(hours=3)
    return make_task(project, parent=make_plan(project, 0), status=Status.ACTIVE, lease_expires_at=ended)


def scan(**more: object) -> dict[str, object]:
    return {"action": "scan_cleanup", "scope": "full_project", **more}


def ids(answer: dict[str, object], name: str) -> list[str]:
    results = answer["results"]
    assert isinstance(results, list)
    return [row[name] for row in results]


def test_a_scan_answers_what_it_found_and_the_operation_to_follow(ada: Rest, over: Task) -> None:
    response = ada.send("POST", f"{AT}/operations", scan())
    answer = response.json()
    assert response.status_code == 200 and answer["plan_token"] and answer["counts"] == {"lease_over": 1}
    assert [(row["cause"], row["subject"]) for row in answer["findings"]] == [("lease_over", over.public_id)]
    operation = ada.get(response["Location"])
    assert operation["operation_id"] == answer["operation"]["operation_id"]
    assert (operation["action"], operation["scope"], operation["state"]) == (
        "scan_cleanup",
        "full_project",
        "succeeded",
    )


def test_what_a_preview_proposed_is_applied_with_its_token(ada: Rest, over: Task) -> None:
    asked = scan(task_ids=[over.public_id])
    token = ada.post(f"{AT}/operations", asked)["plan_token"]
    over.refresh_from_db()
    assert over.status == Status.ACTIVE
    ada.refused(409, "POST", f"{AT}/operations", {**asked, "apply": True, "plan_token": "000000000000"})
    assert ada.post(f"{AT}/operations", {**asked, "apply": True, "plan_token": token})["changes"]
    over.refresh_from_db()
    assert over.status == Status.PENDING


def test_an_operation_that_the_worker_does_is_accepted(
    ada: Rest, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued = make_operation(project, state=State.QUEUED, started_at=None, finished_at=None)
    answer = Answer(Request(action=Action.SCAN_CLEANUP), operation=queued)
    monkeypatch.setattr(operations, "coordinate", lambda **_: answer)
    response = ada.send("POST", f"{AT}/operations", scan())
    assert (response.status_code, response["Location"]) == (202, f"/api/v1{AT}/operations/{queued.public_id}")


def test_the_same_key_runs_an_operation_once(ada: Rest, over: Task) -> None:
    first = ada.send("POST", f"{AT}/operations", scan(), Idempotency_Key="k")
    again = ada.send("POST", f"{AT}/operations", scan(), Idempotency_Key="k")
    assert (again.json(), again["Idempotency-Replayed"]) == (first.json(), "true")
    assert first.json()["changes_total"] == Operation.objects.count() == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"action": "explode"}, {"scope": "everything"}, {"validation_level": "deep"}, {"apply": "yes"},
        {"max_chars": 1}, {"task_ids": "a"}, {"colour": "red"},
    ],
)  # fmt: skip
def test_a_request_that_is_not_understood_is_refused(ada: Rest, project: Project, wrong: dict[str, object]) -> None:
    ada.refused(400, "POST", f"{AT}/operations", scan(**wrong))
    assert not Operation.objects.exists()


def test_an_unknown_task_is_refused(ada: Rest, project: Project) -> None:
    ada.refused(404, "POST", f"{AT}/operations", scan(scope="specific_subtask", target_task_id="task_nowhere"))


def test_purging_takes_the_scope_admin(project: Project) -> None:
    body = {"action": "purge", "scope": "full_project"}
    rest(scopes=("read", "write")).refused(403, "POST", f"{AT}/operations", body)


def test_operations_are_listed_the_newest_first_and_filtered(ada: Rest, project: Project) -> None:
    old = make_operation(project, Action.ARCHIVE)
    new = make_operation(project, state=State.FAILED, problem="The disk is full.")
    assert ids(ada.get(f"{AT}/operations"), "operation_id") == [new.public_id, old.public_id]
    assert ids(ada.get(f"{AT}/operations?action=archive"), "operation_id") == [old.public_id]
    assert ids(ada.get(f"{AT}/operations?state=failed,queued"), "operation_id") == [new.public_id]
    ada.refused(400, "GET", f"{AT}/operations?state=lost")


def test_an_operation_shows_progress_and_report_and_has_an_etag(ada: Rest, project: Project) -> None:
    made = make_operation(project, state=State.RUNNING, finished_at=None, done=3, total=12, report={"findings": []})
    address = f"{AT}/operations/{made.public_id}"
    shown = ada.get(address)
    assert (shown["done"], shown["total"], shown["report"]) == (3, 12, {"findings": []})
    etag = ada.send("GET", address)["ETag"]
    assert ada.send("GET", address, If_None_Match=etag).status_code == 304
    Operation.objects.update(done=4)
    assert ada.send("GET", address, If_None_Match=etag).status_code == 200


def test_an_operation_is_undone(ada: Rest, project: Project) -> None:
    plan = make_plan(project, 1, statuses=[Status.COMPLETED], status=Status.COMPLETED)
    asked = {"action": "archive", "scope": "full_project", "task_ids": [plan.public_id]}
    token = ada.post(f"{AT}/operations", asked)["plan_token"]
    made = ada.post(f"{AT}/operations", {**asked, "apply": True, "plan_token": token})["operation"]["operation_id"]
    assert Task.objects.get(pk=plan.pk).archived_at is not None
    undoing = ada.post(f"{AT}/operations/{made}/undo")
    assert [(change["verb"], change["task_id"]) for change in undoing["changes"]] == [("restore", plan.public_id)]
    assert ada.get(f"{AT}/operations/{made}")["undone_at"]
    assert Task.objects.get(pk=plan.pk).archived_at is None
    ada.refused(409, "POST", f"{AT}/operations/{made}/undo")


def test_findings_are_open_and_awake_by_default(ada: Rest, over: Task) -> None:
    now = timezone.now()
    rows = {
        "open": make_finding(over),
        "snoozed": make_finding(over, Cause.HELD_SILENT, snoozed_until=now + timedelta(days=1)),
        "resolved": make_finding(over, Cause.NEVER_CLAIMED, resolved_at=now),
    }
    assert ids(ada.get(f"{AT}/findings"), "finding_id") == [str(rows["open"].pk)]
    for state, row in rows.items():
        assert ids(ada.get(f"{AT}/findings?state={state}"), "finding_id") == [str(row.pk)]
    assert len(ids(ada.get(f"{AT}/findings?state=any"), "finding_id")) == 3


def test_findings_are_filtered_by_cause_and_severity_and_ordered(ada: Rest, over: Task) -> None:
    mild = make_finding(over, Cause.NEVER_CLAIMED, severity=Severity.INFO)
    bad = make_finding(over, Cause.READY_MARK, severity=Severity.CRITICAL)
    assert ids(ada.get(f"{AT}/findings"), "finding_id") == [str(bad.pk), str(mild.pk)]
    assert ids(ada.get(f"{AT}/findings?cause=never_claimed"), "finding_id") == [str(mild.pk)]
    assert ids(ada.get(f"{AT}/findings?severity=critical,error"), "finding_id") == [str(bad.pk)]
    first = ada.get(f"{AT}/findings?limit=1")
    assert ids(ada.get(first["next"]), "finding_id") == [str(mild.pk)]
    ada.refused(400, "GET", f"{AT}/findings?severity=awful")


def test_a_finding_is_snoozed_until_a_time(ada: Rest, over: Task) -> None:
    finding = make_finding(over)
    until = (timezone.now() + timedelta(days=3)).replace(microsecond=0)
    address = f"{AT}/findings/{finding.pk}"
    assert ada.post(f"{address}/snooze", {"until": until.isoformat()})["snoozed_until"]
    finding.refresh_from_db()
    assert finding.snoozed_until == until
    assert ids(ada.get(f"{AT}/findings"), "finding_id") == []
    assert ada.post(f"{address}/snooze", {"until": None})["snoozed_until"] is None
    assert ids(ada.get(f"{AT}/findings"), "finding_id") == [str(finding.pk)]
    ada.refused(400, "POST", f"{address}/snooze", {})
    ada.refused(400, "POST", f"{address}/snooze", {"until": "2020-01-01T00:00:00Z"})
    ada.refused(400, "POST", f"{address}/snooze", {"until": "tomorrow"})
    ada.refused(404, "POST", f"{AT}/findings/none/snooze", {"until": until.isoformat()})


def test_reading_is_enough_to_look_and_not_to_change(project: Project, over: Task) -> None:
    finding = make_finding(over)
    reader = rest(scopes=("read",))
    for name in ("operations", "findings", "archive", "tombstones"):
        reader.get(f"{AT}/{name}")
    reader.refused(403, "POST", f"{AT}/operations", scan())
    reader.refused(403, "POST", f"{AT}/findings/{finding.pk}/snooze", {"until": "2099-01-01T00:00:00Z"})
    reader.refused(403, "GET", f"{AT}/schedules")
    reader.refused(403, "GET", f"{AT}/upgrades")
    reader.refused(403, "GET", f"{AT}/restarts")


def test_the_archive_names_reason_and_actor_and_is_searched(ada: Rest, project: Project) -> None:
    now = timezone.now()
    plan = make_plan(project, 0, title="Newsletter import", status=Status.COMPLETED, archived_at=now)
    below = make_task(project, parent=plan, title="Parse", status=Status.COMPLETED, archived_at=now)
    make_event(plan, Verb.ARCHIVE, actor_name="bob", after={"reason": "Finished 30 days ago"})
    make_task(project)
    listed = ada.get(f"{AT}/archive?ordering=created_at")
    assert ids(listed, "task_id") == [plan.public_id, below.public_id]
    assert {(row["archived_because"], row["archived_by"]) for row in listed["results"]} == {
        ("Finished 30 days ago", "bob")
    }
    assert ids(ada.get(f"{AT}/archive?tops=true"), "task_id") == [plan.public_id]
    assert ids(ada.get(f"{AT}/archive?search=pars"), "task_id") == [below.public_id]


def test_tombstones_name_the_export(ada: Rest, project: Project) -> None:
    row = make_tombstone(project, tasks=7)
    (shown,) = ada.get(f"{AT}/tombstones")["results"]
    assert (shown["task_id"], shown["tasks"], shown["export_name"]) == (row.public_id, 7, row.export_name)


def test_a_purged_plan_is_imported_by_an_administrator(ada: Rest, project: Project) -> None:
    long_ago = timezone.now() - timedelta(days=900)
    plan = make_plan(project, 0, status=Status.COMPLETED, archived_at=long_ago)
    purge(task=plan, actor=Actor.system(), confirmed=True)
    address = f"{AT}/tombstones/{plan.public_id}/import"
    rest(scopes=("read", "write")).refused(403, "POST", address)
    assert ada.post(address)["imported_at"]
    assert ids(ada.get(f"{AT}/archive?tops=true"), "task_id") == [plan.public_id]
    ada.refused(409, "POST", address)
    ada.refused(404, "POST", f"{AT}/tombstones/task_0/import")


def test_schedules_are_read_and_run_by_an_administrator(ada: Rest, project: Project) -> None:
    listed = ada.get(f"{AT}/schedules")
    assert "heartbeat" in ids(listed, "name")
    assert ada.send("POST", f"{AT}/schedules/heartbeat/run").status_code == 202
    assert OrmQ.objects.count() == 1
    ada.refused(404, "POST", f"{AT}/schedules/nothing/run")


def test_the_history_of_upgrades_is_read_by_an_administrator(ada: Rest, project: Project) -> None:
    named = [{"name": "tasks.0001_initial", "sha256": "0" * 64}]
    Upgrade.objects.create(outcome="succeeded", version="9.8.7", started_at=timezone.now(), migrations=named)
    (shown,) = ada.get(f"{AT}/upgrades")["results"]
    assert (shown["version"], shown["migrations"], shown["problem"]) == ("9.8.7", named, "")


def test_the_backups_that_are_there_are_listed_newest_first(
    ada: Rest, project: Project, tmp_path: Path, settings: Settings
) -> None:
    settings.ORCHESTRATOR_HOME, settings.ORCHESTRATOR_BACKUPS = tmp_path / "home", str(tmp_path / "daily")
    before, daily = "20310504T093000Z-before-upgrade.sqlite3", "20310505T010000Z"
    for number, file in enumerate((f"home/backups/{before}", f"daily/{daily}/{DATABASE}", "home/backups/x.partial")):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(b"1234")
        os.utime(tmp_path / file, (number, number))
    listed = ada.get(f"{AT}/upgrades")["backups"]
    assert [(each["name"], each["size_bytes"]) for each in listed] == [(daily, 4), (before, 4)]


def test_the_history_of_restarts_is_read_by_an_administrator(ada: Rest, project: Project) -> None:
    Restart.objects.create(is_of_site=True, who="ada", reason="A new version", state="done", seconds=1.5)
    (shown,) = ada.get(f"{AT}/restarts")["results"]
    assert (shown["who"], shown["reason"], shown["state"], shown["seconds"]) == ("ada", "A new version", "done", 1.5)


def test_a_token_of_another_project_finds_nothing(project: Project, over: Task) -> None:
    finding, made = make_finding(over), make_operation(project)
    foreign = rest(project=make_project("other"))
    for path in ("operations", f"operations/{made.public_id}", "findings", f"findings/{finding.pk}", "archive"):
        foreign.refused(404, "GET", f"{AT}/{path}")
    foreign.refused(404, "POST", f"{AT}/operations", scan())


def test_an_assistant_asks_about_its_own_session(ada: Rest, over: Task) -> None:
    session = make_session(make_project("other"))
    ada.refused(404, "POST", f"{AT}/operations", {"action": "scan_cleanup", "session_id": session.public_id})
    answer = ada.post(f"{AT}/operations", {"action": "scan_cleanup"})
    assert (answer["operation"]["scope"], answer["changes_total"]) == ("current_session", 0)


def test_a_long_undo_is_answered_before_the_worker_does_it(
    ada: Rest, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = [{"verb": "archive", "task_id": f"planner_{number}"} for number in range(2)]
    made = make_operation(project, changes=changes)
    monkeypatch.setattr(undoing, "IN_CALL", 1)
    monkeypatch.setattr(undoing, "is_running", lambda: True)
    answer = ada.send("POST", f"{AT}/operations/{made.public_id}/undo", {})
    queued = answer.json()
    assert (answer.status_code, queued["state"], queued["changes"]) == (202, "queued", [])
    assert answer["Location"].endswith(queued["operation_id"])
