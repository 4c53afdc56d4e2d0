"""Serious findings in the inbox: a row for each project, counted where the inbox is."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from maintenance.choices import Cause, Severity
from maintenance.models import Finding
from tasks.choices import Status
from tasks.models import Project
from tests.factories import html_of, make_finding, make_project, make_task, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project("ledger", name="Ledger")


@pytest.fixture
def reader(client: Client, project: Project) -> Client:
    return signed_in(client)


def found(project: Project, severity: int = Severity.ERROR, cause: str = Cause.WRONG_ROOT) -> Finding:
    return make_finding(make_task(project), cause, severity=severity)


def listed(client: Client, query: str = "") -> list[str]:
    return re.findall(r'id="((?:findings|waiting)-[\w-]+)"', html_of(client.get(f"/{query}")))


def in_inbox(client: Client) -> str:
    shown = re.search(r'id="in-inbox">([^<]+)<', html_of(client.get("/")))
    return shown[1] if shown else ""


def test_the_errors_of_a_project_are_one_row_that_leads_to_its_maintenance(reader: Client, project: Project) -> None:
    found(project)
    found(project, Severity.CRITICAL, Cause.DEPENDENCY_CYCLE)
    page = html_of(reader.get("/"))
    row = page.partition('id="findings-ledger"')[2].partition("</li>")[0]
    assert "2 serious findings" in row and "Ledger" in row and Cause.DEPENDENCY_CYCLE.label in row
    assert 'href="/projects/ledger/maintenance/"' in row
    assert listed(reader) == ["findings-ledger"]


@pytest.mark.parametrize(
    "fields",
    [
        {"severity": Severity.WARNING},
        {"severity": Severity.CRITICAL, "resolved_at": timezone.now()},
        {"severity": Severity.CRITICAL, "snoozed_until": timezone.now() + timedelta(days=1)},
    ],
)
def test_warnings_and_what_is_resolved_or_snoozed_stay_out(
    reader: Client, project: Project, fields: dict[str, object]
) -> None:
    make_finding(make_task(project), Cause.WRONG_ROOT, **fields)
    assert listed(reader) == []
    assert in_inbox(reader) == ""


def test_the_most_severe_project_comes_first(reader: Client, project: Project) -> None:
    found(project)
    found(make_project("shop"), Severity.CRITICAL)
    assert listed(reader) == ["findings-shop", "findings-ledger"]


def test_a_project_counts_once_beside_the_tasks_that_wait(reader: Client, project: Project) -> None:
    found(project)
    found(project)
    make_task(project, status=Status.FAILED)
    assert in_inbox(reader) == "2"
    assert '<h1>Needs your attention <span class="quiet">2</span></h1>' in html_of(reader.get("/"))


def test_findings_are_a_part_of_the_inbox_of_their_own(reader: Client, project: Project) -> None:
    found(project)
    failed = make_task(project, status=Status.FAILED)
    assert listed(reader, "?show=findings") == ["findings-ledger"]
    assert listed(reader, "?show=failed") == [f"waiting-{failed.public_id}"]


def test_of_many_projects_a_few_are_listed_and_all_on_their_own_part(reader: Client) -> None:
    for _ in range(7):
        found(make_project())
    assert len(listed(reader)) == 5 and 'class="cut"' in html_of(reader.get("/"))
    assert len(listed(reader, "?show=findings")) == 7
    assert in_inbox(reader) == "7"
