"""Gates on pages: of a task, its review, its completion, its synthesis, its form and its project's settings."""

from __future__ import annotations

import json
import re

import pytest
from django.test import Client

from tasks.choices import Status
from tasks.gates.pieces import Piece
from tasks.models import Evidence, Project, Task, Waiver
from tasks.services.evidence import give_evidence
from tests.factories import html_of, make_user, note_of, sent
from tests.gates.given import assistant, claimed, complete, gated, junit, observed, observer

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client: Client) -> Client:
    """Return the client of someone who may write and review."""
    client.force_login(make_user("rita", is_staff=True))
    return client


def _met(page: str) -> dict[str, str]:
    return dict(re.findall(r'id="gate-([\w-]+)" data-met="(\w+)"', page))


def _read(task: Task) -> Task:
    return Task.objects.get(pk=task.pk)


def test_a_task_without_gates_shows_none(staff: Client) -> None:
    assert 'id="gates"' not in html_of(staff.get(f"/tasks/{gated().public_id}/"))


def test_a_task_shows_its_gates_what_came_and_what_a_command_printed(staff: Client) -> None:
    task = gated({"command": "test"}, "report")
    task = claimed(task, assistant(task.project))
    pieces = [observed(task, output="12 passed & <b>bold</b>"), observed(task, "report", report=junit())]
    give_evidence(task=task, actor=observer(task.project), pieces=pieces)
    page = html_of(staff.get(f"/tasks/{task.public_id}/"))
    assert _met(page) == {"test": "yes", "report": "no"}
    assert page.count("data-evidence=") == 2
    assert "12 passed &amp; &lt;b&gt;bold&lt;/b&gt;" in page


def test_a_reviewer_waives_a_gate_with_a_reason(staff: Client) -> None:
    task = gated("report")
    address = f"/tasks/{task.public_id}/"
    assert "<textarea" in html_of(staff.get(address)).partition('id="gate-report"')[2].partition("</section>")[0]
    page = html_of(staff.post(f"{address}waive/", {"gate": "report", "reason": "Only words"}, follow=True))
    assert note_of(page, "waive")
    assert _met(page) == {"report": "yes"} and "Only words" in page


@pytest.mark.parametrize("posted", [{"gate": "report", "reason": " "}, {"gate": "other", "reason": "Words"}, {}])
def test_a_waiver_that_makes_no_sense_is_refused_on_the_page(staff: Client, posted: dict[str, str]) -> None:
    task = gated("report")
    page = html_of(staff.post(f"/tasks/{task.public_id}/waive/", posted, follow=True))
    assert note_of(page, "invalid")
    assert not Waiver.objects.exists()


def test_who_may_only_read_waives_nothing(client: Client) -> None:
    client.force_login(make_user("bob"))
    task = gated("report")
    assert "waive/" not in html_of(client.get(f"/tasks/{task.public_id}/"))
    assert client.post(f"/tasks/{task.public_id}/waive/", {"gate": "report", "reason": "x"}).status_code == 403


def test_a_review_shows_the_gates_and_its_approval_meets_them(staff: Client) -> None:
    task = gated("report", "approval")
    complete(task, assistant(task.project), Piece(gate="report", report=junit("one")))
    address = f"/tasks/{task.public_id}/review/"
    page = html_of(staff.get(address))
    assert _met(page) == {"report": "yes", "approval": "no"}
    seen = re.search(r'name="seen" value="([^"]*)"', page)
    assert seen is not None
    staff.post(address, {"do": "approve", "seen": seen[1], "words": ""})
    assert _read(task).status == Status.COMPLETED
    assert _met(html_of(staff.get(address))) == {"report": "yes", "approval": "yes"}


def test_words_without_a_verdict_approve_nothing(staff: Client) -> None:
    task = gated("approval")
    complete(task, assistant(task.project))
    staff.post(f"/tasks/{task.public_id}/review/", {"do": "request_revision", "words": "Approved? No, fix it"})
    assert _read(task).status == Status.NEEDS_REVISION


def test_a_gate_that_nothing_meets_keeps_an_approval_back(staff: Client) -> None:
    task = gated("report")
    Task.objects.filter(pk=task.pk).update(is_ready=False, status=Status.IN_REVIEW)
    answer = staff.post(f"/tasks/{task.public_id}/review/", {"do": "approve"})
    assert answer.status_code == 409
    assert note_of(answer.content.decode(), "not_ready")
    assert _read(task).status == Status.IN_REVIEW


def test_a_person_completes_a_task_with_what_its_gates_ask_for(staff: Client) -> None:
    task = gated("report", {"kind": "commit", "rung": "reported"})
    address = f"/tasks/{task.public_id}/complete/"
    form = {**sent(html_of(staff.get(address))), "summary": "Done"}
    refused = staff.post(address, {**form, "gate-report": "All is well", "gate-commit": "a1b2c3d4"})
    assert refused.status_code == 409
    page = refused.content.decode()
    assert re.findall(r'data-gate="([\w-]+)"', page) == ["report"]
    assert "All is well" in page
    done = staff.post(address, {**form, "gate-report": junit("one"), "gate-commit": "a1b2c3d4"})
    assert done.status_code == 302
    assert _read(task).status == Status.COMPLETED
    assert set(Evidence.objects.values_list("gate", "passed")) == {("report", True), ("commit", True)}


def test_a_synthesis_says_what_met_the_gates_of_each_part(staff: Client) -> None:
    task = gated("report", "review")
    plan = task.parent
    assert plan is not None
    complete(task, assistant(task.project), Piece(gate="report", report=junit("one")))
    page = html_of(staff.get(f"/tasks/{plan.public_id}/synthesis/"))
    assert re.findall(r'data-gate="([\w-]+)"', page) == ["report", "review"]
    markdown = staff.get(f"/tasks/{plan.public_id}/synthesis.md").content.decode()
    assert "- gate report: reported by" in markdown and "- gate review: not met" in markdown


def test_gates_are_edited_on_the_form_of_a_task(staff: Client) -> None:
    task = gated("report")
    address = f"/tasks/{task.public_id}/edit/"
    form = sent(html_of(staff.get(address)))
    staff.post(address, {**form, "gates": json.dumps(["report", {"command": "test"}])})
    assert [gate["name"] for gate in _read(task).gates] == ["report", "test"]
    form = sent(html_of(staff.get(address)))
    for wrong in ("no JSON", '[{"kind": "prayer"}]', "{}"):
        page = staff.post(address, {**form, "gates": wrong})
        assert page.status_code == 400 and 'id="wrong-gates"' in page.content.decode()
    staff.post(address, {**form, "gates": ""})
    assert _read(task).gates == []


def test_the_commands_and_gates_of_a_project_are_set_on_its_page(client: Client) -> None:
    client.force_login(make_user("root", is_staff=True, is_superuser=True))
    project = gated().project
    address = f"/projects/{project.slug}/settings/"
    form = sent(html_of(client.get(address)), '<form class="wide settings"')
    assert "argv" in form["gates.commands"][0]
    gates = {"commands": {"test": {"argv": ["make", "test"]}}, "default": [{"command": "test"}, "review"]}
    fields = {"gates.commands": json.dumps(gates["commands"]), "gates.default": "- command: test\n- review"}
    assert client.post(address, {**form, **fields}).status_code == 302
    assert Project.objects.get(pk=project.pk).settings["gates"] == gates
    form = sent(html_of(client.get(address)), '<form class="wide settings"')
    for wrong in ("no object", "[]", "{", '{"test": {"argv": "make test"}}'):
        page = client.post(address, {**form, "gates.commands": wrong})
        assert page.status_code == 400, wrong
        assert 'id="gates.commands-errors"' in page.content.decode()
    assert Project.objects.get(pk=project.pk).settings["gates"] == gates
    client.post(address, {**form, "gates.commands": "", "gates.default": ""})
    assert "gates" not in Project.objects.get(pk=project.pk).settings
