"""Patterns through the tool, REST and the pages: the same figures, drafts that are saved by a person, and who may."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest
from django.test import Client

from orchestrator_site.kernel.identity import Scope, with_included
from tasks.library.models import Template
from tasks.library.patterns.comparing import ENOUGH
from tasks.library.services.recurring import plan_now
from tasks.models import Project, Task
from tests.assistants import Assistant
from tests.factories import html_of, make_project, sent, signed_in
from tests.library.samples import ADA, finish, make_recurring, planned, save_chores
from tests.rest import rest

pytestmark = pytest.mark.django_db
TOOL = "pattern_extractor"


@pytest.fixture
def project(ada: Assistant) -> Project:
    project = Project.objects.get()
    save_chores(project)
    return project


def test_one_figure_is_the_same_through_tool_rest_and_page(ada: Assistant, project: Project, client: Client) -> None:
    for _ in range(ENOUGH):
        finish(planned(project))
    (by_tool,) = ada.call(TOOL, action="analyze_project")["success"]
    (by_rest,) = rest().get(f"/projects/{project.slug}/patterns")["success"]
    page = html_of(signed_in(client).get(f"/projects/{project.slug}/library/patterns/"))
    row = re.search(r'<tr data-template="chores" data-version="1">(.*?)</tr>', page, re.DOTALL)
    assert row and f'data-n="{ENOUGH}"' in row[1] and "100%" in row[1]
    assert (by_tool["n"], by_tool["completed"], by_tool["first_pass"]) == (ENOUGH, 1, 1)
    assert (by_rest["ended"], by_rest["rates"]["completed"], by_rest["rates"]["first_pass"]) == (ENOUGH, 1, 1)


def test_too_few_plans_have_no_rates_through_any_of_them(ada: Assistant, project: Project, client: Client) -> None:
    finish(planned(project))
    (by_tool,) = ada.call(TOOL, action="analyze_project")["success"]
    (by_rest,) = rest().get(f"/projects/{project.slug}/patterns")["success"]
    page = html_of(signed_in(client).get(f"/projects/{project.slug}/library/patterns/"))
    assert "completed" not in by_tool and by_rest["rates"] is None
    assert "100%" not in page and "too few" in page


def test_an_assistant_drafts_checks_and_saves_a_template_and_plans_with_it(ada: Assistant, project: Project) -> None:
    plan = finish(planned(project, place="cellar"))
    draft = ada.call(TOOL, action="extract_patterns", plan_id=plan.public_id)
    assert draft["parameters"] == [{"name": "place", "for": "cellar"}]
    assert ada.call(TOOL, action="validate_pattern", text=draft["text"])["valid"]
    saved = ada.call(TOOL, action="save_template", text=draft["text"], source_project_id=plan.public_id)
    assert Template.objects.get(name=saved["name"]).drafted_from == plan
    made = ada.call("plan_task", template=saved["name"], parameters={"place": "attic"})
    assert Task.objects.get(public_id=made["parent_task_id"]).title == "Chores of the attic"


def test_a_draft_is_short_unless_all_of_it_is_asked_for(ada: Assistant, project: Project) -> None:
    plan = planned(project)
    Task.objects.filter(root=plan).update(description="word " * 1000)
    finish(plan)
    short = ada.call(TOOL, action="extract_patterns", source_project_id=plan.public_id)
    full = ada.call(TOOL, action="extract_patterns", source_project_id=plan.public_id, detail="full")
    assert len(json.dumps(short).encode()) <= 2000 < len(full["text"])
    assert ada.call(TOOL, action="validate_pattern", text=full["text"])["valid"]


def test_the_answer_to_an_analysis_stays_small(ada: Assistant, project: Project) -> None:
    for number in range(20):
        finish(planned(project, place=f"{'w' * 250} {number}"))
    save_chores(project, Template.objects.get().text + "# changed\n")
    assert len(ada.send(TOOL, action="analyze_project").text.encode()) <= 2000


@pytest.mark.parametrize("action", ["extract_patterns", "validate_pattern", "save_template"])
def test_what_an_action_needs_is_named(ada: Assistant, project: Project, action: str) -> None:
    error = ada.refused(TOOL, action=action)
    assert error["code"] == "invalid"
    assert error["details"]["problems"][0]["at"] == ("source_project_id" if action == "extract_patterns" else "text")


def test_scopes_are_judged_by_action(ada: Assistant, project: Project) -> None:
    plan = finish(planned(project))
    text = ada.call(TOOL, action="extract_patterns", source_project_id=plan.public_id)["text"]
    ada.caller.principal = ada.caller.principal.__class__("ada", scopes=with_included([Scope.READ]))
    assert ada.call(TOOL, action="analyze_project")["finished_total"] == 1
    assert ada.call(TOOL, action="extract_patterns", source_project_id=plan.public_id)["text"] == text
    assert ada.refused(TOOL, action="save_template", text=text)["code"] == "forbidden"


def test_rest_drafts_of_a_finished_plan_of_the_project_and_of_no_other(project: Project) -> None:
    plan, opened = finish(planned(project)), planned(project)
    client, here = rest(), f"/projects/{project.slug}/patterns"
    draft = client.post(here, {"plan": plan.public_id})
    assert draft["parameters"] == {"place": "kitchen"}
    saved = client.send("PUT", f"/projects/{project.slug}/templates/{draft['name']}", {"text": draft["text"]})
    assert saved.status_code == 200
    assert client.refused(409, "POST", here, {"plan": opened.public_id})["code"] == "conflict"
    other = make_project("other")
    save_chores(other)
    client.refused(404, "POST", here, {"plan": finish(planned(other)).public_id})
    assert Template.objects.filter(project=project).count() == 2


def test_a_person_makes_a_template_of_a_finished_plan_and_its_history_says_so(project: Project, client: Client) -> None:
    plan = finish(planned(project, place="cellar"))
    owner = signed_in(client, is_staff=True, is_superuser=True)
    address = f"/projects/{project.slug}/library/patterns/{plan.public_id}/"
    assert address in html_of(owner.get(f"/tasks/{plan.public_id}/"))
    assert address in html_of(owner.get(f"/projects/{project.slug}/library/patterns/"))
    fields = sent(html_of(owner.get(address)), '<form class="box" method="post"')
    text = fields["text"][0].replace("chores_of_the_cellar", "cleaning")
    assert owner.post(address, {**fields, "text": text}).status_code == 302
    saved = Template.objects.get(name="cleaning")
    assert (saved.drafted_from, saved.project) == (plan, project)


def test_a_draft_that_is_wrong_is_kept_with_what_is_wrong(project: Project, client: Client) -> None:
    plan = finish(planned(project))
    owner = signed_in(client, is_staff=True, is_superuser=True)
    address = f"/projects/{project.slug}/library/patterns/{plan.public_id}/"
    answer = owner.post(address, {"text": "template: x", "plan": plan.public_id})
    page = unescape(answer.content.decode())
    assert answer.status_code == 400 and "template: x" in page and f'value="{plan.public_id}"' in page


def test_a_plan_that_is_open_or_of_another_project_has_no_draft(project: Project, client: Client) -> None:
    owner, opened = signed_in(client, is_staff=True, is_superuser=True), planned(project)
    here = f"/projects/{project.slug}/library/patterns/"
    assert owner.get(f"{here}{opened.public_id}/").status_code == 409
    assert f"{here}{opened.public_id}/" not in html_of(owner.get(f"/tasks/{opened.public_id}/"))
    finish(opened)
    make_project("other")
    assert owner.get(f"/projects/other/library/patterns/{opened.public_id}/").status_code == 404


def test_a_plan_of_a_recurring_one_says_so_over_rest(project: Project) -> None:
    plan = plan_now(recurring=make_recurring(project), actor=ADA).plan.root
    assert rest().get(f"/plans/{plan.public_id}/origin")["recurring"] == "Chores"
