"""Planning with a template on pages: a form of its parameters, a preview, and exactly the plan that was previewed."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tasks.library.models import PlanOrigin
from tasks.models import Project, Task
from tests.factories import html_of, make_plan, make_project, sent, signed_in
from tests.library.rows import chores, make_origin, make_template
from tests.tour import HOSTILE

pytestmark = pytest.mark.django_db

APPLY = "/projects/ledger/library/templates/chores/plan/"
FORM, PLAN = '<form class="body fields"', '<form class="body do"'


@pytest.fixture
def project() -> Project:
    project = make_project("ledger")
    make_template(project)
    return project


@pytest.fixture
def staff(client: Client) -> Client:
    return signed_in(client, is_staff=True)


def fields(**parameters: str) -> dict[str, str]:
    return {f"parameters.{name}": value for name, value in parameters.items()}


def preview(client: Client, **parameters: str) -> str:
    return html_of(client.post(APPLY, fields(goal="Clean", **parameters)))


def plan(client: Client, page: str) -> Any:
    return client.post(APPLY, hidden(page))


def hidden(page: str) -> dict[str, str]:
    """Return what the button below a preview sends."""
    form = page.partition(PLAN)[2].partition("</form>")[0]
    return {unescape(name): unescape(value) for name, value in re.findall(r'name="([^"]+)" value="([^"]*)"', form)}


def steps_on(page: str) -> list[tuple[str, str]]:
    return re.findall(r'data-step="(\w+)" data-needs="([\w ]*)"', page)


def test_the_form_has_a_field_for_each_parameter_with_its_default(staff: Client, project: Project) -> None:
    page = html_of(staff.get(APPLY))
    values = {name.removeprefix("parameters."): value[0] for name, value in values_of(page).items() if "." in name}
    assert values == {
        "place": "A plain text", "goal": "", "days": "2", "wet": "true", "how": "slow", "jobs": "",
    }  # fmt: skip
    assert 'id="preview"' not in page


def values_of(page: str) -> dict[str, Any]:
    """Return what a browser sends of the form; names of parameters have a dot."""
    dotless = page.replace('name="parameters.', 'name="parameters_')
    marked = re.sub(r"<option( selected)?>(\w+)<", r'<option value="\2"\1><', dotless)
    return {name.replace("parameters_", "parameters."): value for name, value in sent(marked, FORM).items()}


def test_a_preview_shows_the_plan_and_plans_nothing(staff: Client, project: Project) -> None:
    page = preview(staff, jobs="floor\r\n\r\n sink \r\n", wet="true")
    assert steps_on(page) == [("look", ""), ("clean_1", "look"), ("clean_2", "look"), ("dry", "clean_1 clean_2")]
    assert "Clean the sink" in page and not Task.objects.exists()


def test_steps_that_the_parameters_leave_out_are_named(staff: Client, project: Project) -> None:
    page = preview(staff, wet="false")
    assert steps_on(page) == [("look", "")]
    assert "left out: clean, dry" in page


def test_a_preview_shows_the_gates_that_the_project_asks_for(staff: Client, project: Project) -> None:
    Project.objects.update(settings={"gates": {"default": [{"kind": "commit"}]}})
    row = preview(staff).partition('data-step="look"')[2]
    assert row.index(">report</span>") < row.index(">commit</span>")


def test_the_plan_is_the_one_that_was_previewed(staff: Client, project: Project) -> None:
    page = preview(staff, place="Kitchen", jobs="floor\nsink", how="fast", wet="false")
    answer = plan(staff, page)
    made = Task.objects.get(parent=None)
    assert answer["Location"] == f"/tasks/{made.public_id}/"
    titles = list(made.children.values_list("title", flat=True))
    assert titles == ["Look at the Kitchen", "Clean the floor", "Clean the sink"]
    kept = {"place": "Kitchen", "goal": "Clean", "days": 2, "wet": False, "how": "fast", "jobs": ["floor", "sink"]}
    assert PlanOrigin.objects.get(plan=made).parameters == kept


def test_text_of_several_lines_arrives_as_it_was_typed(staff: Client, project: Project) -> None:
    page = html_of(staff.post(APPLY, fields(goal='Clean "all"\r\n\r\n  & <dry>')))
    plan(staff, page)
    assert PlanOrigin.objects.get().parameters["goal"] == 'Clean "all"\n\n  & <dry>'


def test_a_template_that_changed_since_the_preview_is_previewed_again(staff: Client, project: Project) -> None:
    page = preview(staff, place="Kitchen")
    make_template(project, chores().replace("Look at", "Look again at"))
    answer = plan(staff, page)
    again = answer.content.decode()
    assert answer.status_code == 409 and 'data-code="conflict"' in again
    assert "Look again at the Kitchen" in again and not Task.objects.exists()
    assert plan(staff, again).status_code == 302
    assert Task.objects.filter(title="Look again at the Kitchen").exists()


def test_what_is_wrong_is_said_at_its_field_and_what_was_typed_is_kept(staff: Client, project: Project) -> None:
    answer = staff.post(APPLY, fields(place="The hall", goal=" ", days="many", how="never"))
    page = answer.content.decode()
    assert answer.status_code == 400 and 'id="preview"' not in page
    wrong = re.findall(r'class="errorlist" id="parameters\.(\w+)-errors"', page)
    assert wrong == ["goal", "days", "how"]
    assert 'value="The hall"' in page and 'value="many"' in page


def test_parameters_that_leave_out_every_step_are_named(staff: Client, project: Project) -> None:
    one = "key: look\n  if: {param: how, equals: fast}"
    make_template(project, chores().replace("key: look", one))
    page = staff.post(APPLY, fields(goal="Clean", how="slow", wet="false")).content.decode()
    assert 'id="unplannable"' in page and 'id="preview"' not in page


def test_the_button_of_one_preview_plans_once(staff: Client, project: Project) -> None:
    page = preview(staff)
    first, second = plan(staff, page), plan(staff, page)
    assert PlanOrigin.objects.count() == 1
    assert second["Location"] == first["Location"]


@pytest.mark.parametrize("asked", [{"sha256": "0" * 64}, {"sha256": "x"}])
def test_a_hash_of_no_preview_plans_nothing(staff: Client, project: Project, asked: dict[str, str]) -> None:
    assert staff.post(APPLY, {**fields(goal="Clean"), **asked}).status_code == 409
    assert not Task.objects.exists()


def test_a_title_that_gets_too_long_is_cut(staff: Client, project: Project) -> None:
    make_template(project, chores().replace("max: 250", "max: 300"))
    assert plan(staff, preview(staff, place="w" * 300)).status_code == 302
    assert max(len(task.title) for task in Task.objects.all()) == 300


def test_why_the_board_does_not_take_a_plan_is_said(staff: Client, project: Project) -> None:
    make_template(project, chores().replace("gates: [report]", "resources: [staging]"))
    answer = staff.post(APPLY, fields(goal="Clean"))
    page = answer.content.decode()
    assert answer.status_code == 400 and "subtasks[0].resources" in page and 'id="preview"' not in page


def test_a_broken_template_of_the_project_is_not_replaced_by_that_of_the_site(staff: Client, project: Project) -> None:
    make_template(None)
    make_template(project, chores().replace("specialist: researcher", "specialist: gone"))
    answer = staff.post(APPLY, fields(goal="Clean"))
    page = answer.content.decode()
    assert answer.status_code == 409
    assert 'id="not-planned" data-code="conflict"' in page and 'id="preview"' not in page and "line 13" in page


def test_a_plan_names_what_it_came_from(client: Client, project: Project) -> None:
    made = make_plan(project, 1)
    make_origin(made, version="7", parameters={"place": HOSTILE, "jobs": ["floor", "sink"], "wet": True})
    page = html_of(signed_in(client).get(f"/tasks/{made.public_id}/"))
    origin = page.partition('id="origin"')[2].partition("</section>")[0]
    assert "/projects/ledger/library/templates/chores/" in origin and "<bdi>7</bdi>" in origin
    assert "floor, sink" in origin and ">yes<" in origin and "<script>" not in origin


def test_where_a_plan_came_from_takes_no_further_query(client: Client, project: Project) -> None:
    made = make_plan(project, 1)
    signed_in(client)
    before = queries(client, made)
    make_origin(made)
    assert queries(client, made) == before


def queries(client: Client, task: Task) -> int:
    with CaptureQueriesContext(connection) as captured:
        html_of(client.get(f"/tasks/{task.public_id}/"))
    return len(captured)
