"""The maintenance page: findings with a preview first, snoozing, runs with undo, settings, schedules, marks."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ
from pytest_django import Settings

from maintenance.choices import Action, Cause, Severity, State
from maintenance.models import Finding, Operation, Upgrade
from maintenance.services.coordinate import Answer, Request
from maintenance.views import operations
from orchestrator_site.models import Restart
from tasks.choices import Status
from tasks.models import Project, Task
from tests.factories import (
    html_of,
    make_artifact,
    make_finding,
    make_operation,
    make_plan,
    make_project,
    make_task,
    signed_in,
)

pytestmark = pytest.mark.django_db

ADDRESS = "/projects/ledger/maintenance/"
RUN = f"{ADDRESS}run/"


@pytest.fixture
def project() -> Project:
    return make_project("ledger", name="Ledger")


@pytest.fixture
def over(project: Project) -> Task:
    """A task whose lease is over."""
    ended = timezone.now() - timedelta(hours=3)
    return make_task(project, parent=make_plan(project, 0), status=Status.ACTIVE, lease_expires_at=ended)


@pytest.fixture
def reader(client: Client, project: Project) -> Client:
    return signed_in(client)


@pytest.fixture
def owner(client: Client, project: Project) -> Client:
    return signed_in(client, is_staff=True, is_superuser=True)


def fields_of(page: str, action: str) -> dict[str, str]:
    """Return the hidden fields of the first form that posts to an address."""
    form = page.partition(f'action="{action}"')[2].partition("</form>")[0]
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))


def preview(client: Client, task: Task, proposal: str = "release") -> str:
    return html_of(client.post(RUN, {"proposal": proposal, "task_ids": task.public_id, "preview": "1"}))


def test_a_project_without_findings_says_what_to_do(reader: Client) -> None:
    page = html_of(reader.get(ADDRESS))
    assert "No open findings" in page and "No runs yet" in page and "Structure not checked yet" in page


def test_open_findings_are_shown_with_task_evidence_and_sample(reader: Client, over: Task) -> None:
    make_finding(over, Cause.HELD_SILENT, evidence={"limit_hours": 0.5, "n": 38}, advice="Ask its holder.")
    page = html_of(reader.get(ADDRESS))
    assert over.title in page and "limit hours 0.5" in page and "n = 38" in page and "Ask its holder." in page
    assert Cause.HELD_SILENT.label in page


def test_advice_for_assistants_is_worded_for_people(reader: Client, over: Task) -> None:
    make_finding(over, Cause.WAITS_FOR_STOPPED, advice="orchestrator_update_task(task_id='x', action='retry')")
    page = html_of(reader.get(ADDRESS))
    assert "orchestrator_update_task" not in page and "Open the task" in page


def test_the_most_severe_come_first(reader: Client, over: Task) -> None:
    made = {each: make_finding(over, cause, severity=each) for each, cause in zip(Severity, Cause, strict=False)}
    shown = re.findall(r'id="finding-(\d+)"', html_of(reader.get(ADDRESS)))
    assert shown == [str(made[each].pk) for each in sorted(made, reverse=True)]


@pytest.mark.parametrize(
    ("show", "fields"),
    [
        ("open", {}),
        ("snoozed", {"snoozed_until": timezone.now() + timedelta(days=1)}),
        ("resolved", {"resolved_at": timezone.now()}),
    ],
)
def test_each_state_has_a_list_of_its_own(reader: Client, over: Task, show: str, fields: dict[str, Any]) -> None:
    finding = make_finding(over, **fields)
    listed = {each: f"finding-{finding.pk}" in html_of(reader.get(f"{ADDRESS}?show={each}")) for each in
              ("open", "snoozed", "resolved")}  # fmt: skip
    assert listed == {each: each == show for each in listed}


def test_the_tab_counts_open_findings_on_every_page_of_the_project(reader: Client, over: Task) -> None:
    assert 'title="Open findings"' not in html_of(reader.get("/projects/ledger/"))
    make_finding(over)
    for address in ("/projects/ledger/", "/projects/ledger/board/", f"/tasks/{over.public_id}/"):
        assert '<span class="count" title="Open findings">1</span>' in html_of(reader.get(address))


def test_structure_problems_are_counted_beside_the_time_of_the_last_check(reader: Client, over: Task) -> None:
    make_operation(over.project, Action.VALIDATE_STRUCTURE, answer={"counts": {"tasks": 23}})
    assert "Structure is sound" in html_of(reader.get(ADDRESS)) and "23 tasks checked" in html_of(reader.get(ADDRESS))
    make_finding(over, Cause.READY_MARK)
    make_finding(over, Cause.LEASE_OVER)
    assert "1 problem in the structure" in html_of(reader.get(ADDRESS))


def test_a_reader_is_offered_nothing_to_change(reader: Client, over: Task) -> None:
    make_finding(over, proposal="release")
    page = html_of(reader.get(ADDRESS))
    main = page.partition('<main id="main"')[2].partition("</main>")[0]
    assert "<form" not in main and "<button" not in main


@pytest.mark.parametrize(
    "address",
    [
        RUN,
        f"{ADDRESS}findings/1/snooze/",
        f"{ADDRESS}operations/operation_0/undo/",
        f"{ADDRESS}schedules/heartbeat/run/",
    ],
)
def test_a_reader_is_refused_what_changes_something(reader: Client, over: Task, address: str) -> None:
    assert reader.post(address, {"scan": "1"}).status_code == 403
    assert not Operation.objects.exists() and not OrmQ.objects.exists()


def test_staff_may_not_purge_or_run_jobs(client: Client, project: Project) -> None:
    staff = signed_in(client, is_staff=True)
    assert staff.post(RUN, {"action": "purge", "preview": "1"}).status_code == 403
    assert staff.post(f"{ADDRESS}schedules/heartbeat/run/").status_code == 403
    assert 'id="schedules"' not in html_of(staff.get(ADDRESS))


def test_a_preview_shows_before_and_after_and_changes_nothing(owner: Client, over: Task) -> None:
    make_finding(over, proposal="release")
    shown = preview(owner, over)
    assert over.title in shown and "Active" in shown and "Pending" in shown and "no. 2" in shown
    over.refresh_from_db()
    assert over.status == Status.ACTIVE


def test_what_was_previewed_is_done_with_its_token(owner: Client, over: Task) -> None:
    make_finding(over, proposal="release")
    fields = fields_of(preview(owner, over), RUN)
    assert fields["plan_token"] and fields["task_ids"] == over.public_id
    answer = owner.post(RUN, fields)
    assert (answer.status_code, answer["Location"]) == (302, ADDRESS)
    over.refresh_from_db()
    assert over.status == Status.PENDING
    assert not Finding.objects.open().exists()


def test_what_changed_since_the_preview_is_previewed_again(owner: Client, over: Task) -> None:
    make_finding(over, proposal="release")
    fields = fields_of(preview(owner, over), RUN)
    answer = owner.post(RUN, {**fields, "plan_token": "0" * 12})
    assert answer.status_code == 409 and b'data-code="conflict"' in answer.content
    over.refresh_from_db()
    assert over.status == Status.ACTIVE


def test_an_unknown_action_is_refused(owner: Client) -> None:
    assert owner.post(RUN, {"action": "explode"}).status_code == 400


def test_a_scan_releases_what_is_over_and_records_all_that_is_found(owner: Client, over: Task) -> None:
    done = make_task(over.project, parent=make_plan(over.project, 0, status=Status.COMPLETED), is_ready=True)
    assert owner.post(RUN, {"scan": "1"})["Location"] == ADDRESS
    over.refresh_from_db()
    assert over.status == Status.PENDING
    assert Cause.ORPHANED in Finding.objects.filter(task=done).values_list("cause", flat=True)
    page = html_of(owner.get(ADDRESS))
    assert all(f'id="{made.public_id}"' in page for made in Operation.objects.all())
    assert "1 released" in page and f"{Task.objects.count()} tasks checked" in page


def test_checking_the_structure_previews_repairs_and_lists_what_a_person_decides(
    owner: Client, project: Project
) -> None:
    check = {"action": "validate_structure", "level": "comprehensive", "preview": "1"}
    assert "The structure is sound" in html_of(owner.post(RUN, check))
    make_task(project, title="Wrong mark", is_ready=False)
    make_task(project, title="From the future", is_ready=True, created_at=timezone.now() + timedelta(days=9))
    page = html_of(owner.post(RUN, check))
    assert "Wrong mark" in page.partition('id="left"')[0] and "From the future" in page.partition('id="left"')[2]


def test_the_rest_of_a_large_board_is_scanned_by_the_worker(
    owner: Client, over: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maintenance.services.scan_now.LARGE", 1)
    owner.post(RUN, {"scan": "1"})
    assert OrmQ.objects.count() == 1
    assert not Operation.objects.filter(action=Action.VALIDATE_STRUCTURE).exists()


def test_what_a_large_board_needs_is_followed_on_the_page_of_its_run(
    owner: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued = make_operation(project, state=State.QUEUED, started_at=None, finished_at=None)
    answer = Answer(Request(action=Action.ARCHIVE), operation=queued)
    monkeypatch.setattr(operations, "coordinate", lambda **_: answer)
    for sent in ({"preview": "1"}, {"plan_token": "x"}):
        response = owner.post(RUN, {"action": "archive", **sent})
        assert response["Location"] == f"{ADDRESS}operations/{queued.public_id}/"
    assert "Queued" in html_of(owner.get(response["Location"]))


@pytest.mark.parametrize("days", [1, 7])
def test_a_finding_is_snoozed_and_shown_again(owner: Client, over: Task, days: int) -> None:
    finding = make_finding(over)
    address = f"{ADDRESS}findings/{finding.pk}/snooze/"
    assert owner.post(address, {"days": str(days)}).status_code == 302
    finding.refresh_from_db()
    assert finding.snoozed_until is not None
    assert timedelta(days=days - 0.1) < finding.snoozed_until - timezone.now() <= timedelta(days=days)
    owner.post(address, {"days": "0"})
    assert list(Finding.objects.unsnoozed(timezone.now())) == [finding]


@pytest.mark.parametrize("days", ["", "2", "-1", "x"])
def test_a_finding_is_snoozed_for_nothing_but_what_is_offered(owner: Client, over: Task, days: str) -> None:
    finding = make_finding(over)
    assert owner.post(f"{ADDRESS}findings/{finding.pk}/snooze/", {"days": days}).status_code == 404


def test_a_finding_of_another_project_is_not_found(owner: Client, over: Task) -> None:
    other = make_finding(make_task(make_project("other")))
    assert owner.post(f"{ADDRESS}findings/{other.pk}/snooze/", {"days": "1"}).status_code == 404


@pytest.mark.parametrize(
    ("fields", "offered"),
    [
        ({"changes": [{"verb": "archive", "task_id": "x"}]}, True),
        ({"changes": []}, False),
        ({"changes": [{"verb": "archive", "task_id": "x"}], "undone_at": timezone.now()}, False),
        ({"state": State.RUNNING, "finished_at": None}, False),
    ],
)
def test_undo_is_offered_where_it_is_possible(
    owner: Client, project: Project, fields: dict[str, Any], offered: bool
) -> None:
    made = make_operation(project, Action.ARCHIVE, **fields)
    undo = f"{ADDRESS}operations/{made.public_id}/undo/"
    assert (undo in html_of(owner.get(ADDRESS))) == offered
    assert (undo in html_of(owner.get(f"{ADDRESS}operations/{made.public_id}/"))) == offered


def test_a_running_operation_shows_its_progress_and_a_failed_one_why(owner: Client, project: Project) -> None:
    running = make_operation(project, state=State.RUNNING, finished_at=None, done=3, total=12)
    failed = make_operation(project, state=State.FAILED, problem="The disk is full.")
    page = html_of(owner.get(ADDRESS))
    assert "3 of 12" in page and "The disk is full." in page
    assert page.count("data-running") == page.count("<noscript>") == 1
    of_run, of_failed = (html_of(owner.get(f"{ADDRESS}operations/{each.public_id}/")) for each in (running, failed))
    assert "3 of 12" in of_run and "<noscript>" in of_run
    assert "data-running" not in of_failed


def test_an_operation_lists_what_it_changed(reader: Client, over: Task) -> None:
    changes: list[dict[str, object]] = [{"verb": "release", "task_id": over.public_id}]
    changes.append({"verb": "archive", "task_id": over.public_id, "begun": True})
    made = make_operation(over.project, changes=changes, answer={"counts": {"tasks": 12}})
    page = html_of(reader.get(f"{ADDRESS}operations/{made.public_id}/"))
    assert over.title in page and "12" in page and "Begun" in page
    assert reader.get(f"/projects/{make_project().slug}/maintenance/operations/{made.public_id}/").status_code == 404


def test_what_the_worker_previewed_is_applied_from_its_run(owner: Client, over: Task) -> None:
    fields = fields_of(preview(owner, over), RUN)
    found = {
        "cause": "lease_over",
        "subject": over.public_id,
        "title": over.title,
        "proposal": "release",
        "advice": None,
    }
    made = make_operation(
        over.project, request={"apply": False, "task_ids": [over.public_id]}, report={"findings": [found], "total": 1},
        answer={"plan_token": fields["plan_token"], "proposals_total": 1},
    )  # fmt: skip
    page = html_of(owner.get(f"{ADDRESS}operations/{made.public_id}/"))
    assert over.title in page and Cause.LEASE_OVER.label in page
    owner.post(RUN, fields_of(page, RUN))
    over.refresh_from_db()
    assert over.status == Status.PENDING


def test_storage_counts_all_versions(reader: Client, over: Task) -> None:
    make_artifact(over, "12345", "1234567890")
    page = html_of(reader.get(ADDRESS))
    assert "1 artifact, 15\N{NO-BREAK SPACE}bytes" in page


def test_the_newest_upgrades_are_shown_with_what_failed(owner: Client) -> None:
    problem = "tasks.0099: ZeroDivisionError"
    Upgrade.objects.create(outcome="failed", version="9.8.7", started_at=timezone.now(), problem=problem)
    assert all(each in html_of(owner.get(ADDRESS)) for each in ("9.8.7", problem))
    assert 'id="upgrades"' not in html_of(signed_in(Client(), name="eve").get(ADDRESS))


def test_backups_are_shown_where_there_are_any(owner: Client, tmp_path: Path, settings: Settings) -> None:
    settings.ORCHESTRATOR_HOME = tmp_path
    assert "No backups so far" in html_of(owner.get(ADDRESS))
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / "20310504T093000Z-before-upgrade.sqlite3").touch()
    assert "20310504T093000Z-before-upgrade" in html_of(owner.get(ADDRESS))


def restarts_on(page: str) -> str:
    return page.partition('id="restarts"')[2].partition("</section>")[0]


def test_the_newest_restarts_are_shown_to_administrators(owner: Client) -> None:
    assert "No restarts so far" in restarts_on(html_of(owner.get(ADDRESS)))
    Restart.objects.create(is_of_site=True, who="bob", reason="A new version", state="done", seconds=1.5)
    Restart.objects.create(is_of_site=False, who="claude-code", state="failed", problem="It did not serve.")
    shown = restarts_on(html_of(owner.get(ADDRESS)))
    assert all(each in shown for each in ("bob", "A new version", "1.5 s", "claude-code", "It did not serve."))
    assert 'id="restarts"' not in html_of(signed_in(Client(), name="eve", is_staff=True).get(ADDRESS))


def test_a_server_without_a_supervisor_offers_no_restart_and_says_why(owner: Client) -> None:
    shown = restarts_on(html_of(owner.get(ADDRESS)))
    assert "<form" not in shown and 'id="no-restart"' in shown
    assert owner.post("/restart/").status_code == 503
    assert signed_in(Client(), name="eve", is_staff=True).post("/restart/").status_code == 403


@pytest.mark.parametrize("is_asked_of_this_one", [True, False])
def test_a_restart_that_was_asked_for_is_followed_by_the_page(
    owner: Client, monkeypatch: pytest.MonkeyPatch, is_asked_of_this_one: bool
) -> None:
    monkeypatch.setattr("orchestrator_site.templatetags.site.own_supervisor", lambda: 4711)
    asked_of = 4711 if is_asked_of_this_one else 4712
    Restart.objects.create(is_of_site=True, who="bob", state="requested", facts={"supervisor": asked_of})
    shown = restarts_on(html_of(owner.get(ADDRESS)))
    assert 'name="csrfmiddlewaretoken"' in shown
    assert ("data-running" in shown, "<noscript>" in shown) == (is_asked_of_this_one, is_asked_of_this_one)


def test_schedules_show_when_they_run_and_are_run_now(owner: Client) -> None:
    assert 'id="job-heartbeat"' in html_of(owner.get(ADDRESS))
    assert owner.post(f"{ADDRESS}schedules/heartbeat/run/")["Location"] == ADDRESS
    assert OrmQ.objects.count() == 1
    assert owner.post(f"{ADDRESS}schedules/nothing/run/").status_code == 404


@pytest.mark.parametrize("workers", [0, 1])
def test_a_site_whose_jobs_do_not_run_says_so(owner: Client, monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
    monkeypatch.setattr(site, "ORCHESTRATOR_WORKERS", workers)
    assert 'id="no-worker"' in html_of(owner.get(ADDRESS))


def test_the_switches_are_shown_and_the_old_address_of_their_settings_leads_on(owner: Client, project: Project) -> None:
    Project.objects.update(settings={"maintenance": {"archive": "act", "purge": "off"}})
    page = html_of(owner.get(ADDRESS)).partition('id="automatic"')[2].partition("</ul>")[0]
    assert re.findall(r'<span class="tag[^>]*>(\w+)</span>', page) == ["act", "off", "suggest", "suggest"]
    answer = owner.get(f"{ADDRESS}settings/")
    assert (answer.status_code, answer["Location"]) == (302, "/projects/ledger/settings/#maintenance")


@pytest.mark.parametrize("address", ["/projects/ledger/board/", "plan"])
def test_a_task_with_an_open_finding_is_marked_on_the_board_and_in_its_plan(
    reader: Client, over: Task, address: str
) -> None:
    assert over.root is not None
    address = f"/tasks/{over.root.public_id}/" if address == "plan" else address
    finding = make_finding(over)
    mark = f'<a href="{ADDRESS}" title="{Cause.LEASE_OVER.label}">'
    assert mark in html_of(reader.get(address))
    Finding.objects.filter(pk=finding.pk).update(snoozed_until=timezone.now() + timedelta(days=1))
    assert mark not in html_of(reader.get(address))


def test_the_page_of_handovers_says_that_they_are_off_and_where_to_change_it(owner: Client, project: Project) -> None:
    address, setting = "/projects/ledger/handovers/", 'href="/projects/ledger/settings/#handover"'
    assert 'id="off"' not in html_of(owner.get(address))
    Project.objects.update(settings={"handover": {"prepare": "off"}})
    page = html_of(owner.get(address))
    assert 'id="off"' in page and setting in page and 'data-act="prepare"' not in page
    page = html_of(signed_in(Client(), name="reader").get(address))
    assert 'id="off"' in page and setting not in page
