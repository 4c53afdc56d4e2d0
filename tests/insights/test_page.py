"""The page of insights: figures with their n, where they lead, by what they are divided, and what is hidden."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import OrmQ

from tasks.insights.addresses import action_of, tasks_address
from tasks.insights.choices import Dimension, Kind, Method, Name, Outcome
from tasks.insights.models import Figure, Score, Suggestion
from tasks.insights.selectors import figures as counted
from tasks.insights.selectors.figures import ENOUGH, figures_of
from tasks.insights.selectors.page import DIMENSIONS, GROUPS
from tasks.insights.views import insights as view
from tasks.models import Project, Task
from tests.assistants import Assistant, subtask
from tests.factories import html_of, make_project, make_task, signed_in
from tests.insights.finished import finish
from tests.rest import rest

pytestmark = pytest.mark.django_db
QUERIES = 28


def page_of(client: Client, project: Project, query: str = "") -> str:
    return html_of(client.get(f"/projects/{project.slug}/insights/{query}"))


def row_of(page: str, name: str) -> str:
    return str(re.findall(rf'<tr id="figure-{name}".*?</tr>', page, re.DOTALL)[0])


@pytest.fixture
def reader(client: Client) -> Client:
    return signed_in(client, name="rita")


def test_a_project_without_tasks_says_what_to_do(reader: Client) -> None:
    page = page_of(reader, make_project())
    assert 'id="nothing"' in page and 'id="figures"' not in page


@pytest.mark.parametrize("by", DIMENSIONS)
def test_a_dimension_without_figures_leads_back_to_the_project(reader: Client, by: str) -> None:
    project = make_project()
    page = page_of(reader, project, f"?by={by}")
    assert f'href="/projects/{project.slug}/insights/"' in page.partition('id="nothing"')[2]


def test_every_figure_that_is_there_has_a_row_with_its_n_and_its_value(ada: Assistant, reader: Client) -> None:
    project = finish(ada, ENOUGH)
    page = page_of(reader, project)
    shown = dict(re.findall(r'<tr id="figure-(\w+)" data-n="\d+" data-value="([^"]+)"', page))
    known = {each.name: each for each in figures_of(project) if each.dimension == Dimension.PROJECT and not each.key}
    lasting = {Name.DONE, Name.PLANNED, Name.LEASE_LOSS, Name.SUCCESS}  # the others are times, which go on
    assert {Name.LEAD, Name.WORK, *lasting} <= known.keys() == set(re.findall(r'<tr id="figure-(\w+)"', page))
    assert {name: float(shown[name]) for name in lasting} == {name: known[name].value for name in lasting}


def test_of_too_few_no_rate_and_no_time_is_shown_but_the_number_is(ada: Assistant, reader: Client) -> None:
    page = page_of(reader, finish(ada, ENOUGH - 1))
    hidden, number = row_of(page, Name.SUCCESS), row_of(page, Name.DONE)
    assert "data-value" not in hidden and "100%" not in hidden and f'data-n="{ENOUGH - 1}"' in hidden
    assert f'data-value="{ENOUGH - 1}"' in number


def test_every_figure_is_explained(ada: Assistant, reader: Client) -> None:
    project = finish(ada, ENOUGH)
    for query in ("", "?by=specialist"):
        meaning = page_of(reader, project, query).partition('id="meaning"')[2].partition("</details>")[0]
        assert re.findall(r"<dt>([^<]+)</dt><dd>[^<]{10,}</dd>", meaning) == [name.label for name in Name]


def test_where_there_is_no_figure_nothing_is_explained(reader: Client) -> None:
    assert 'id="meaning"' not in page_of(reader, make_project())


def test_what_is_only_counted_is_shown_once(ada: Assistant, reader: Client) -> None:
    cells = re.findall(r'<td class="number">(.*?)</td>', row_of(page_of(reader, finish(ada, ENOUGH)), Name.DONE))
    assert [cell for cell in cells if cell] == [f"<b>{ENOUGH}</b>"]


def test_what_a_line_of_a_table_has_no_figure_of_is_a_dash(ada: Assistant, reader: Client) -> None:
    finish(ada, 1, "tester")
    ada.call("plan_task", description="A job", subtasks=[subtask("A", specialist_type="documenter")])
    page = page_of(reader, Project.objects.get(), "?by=specialist")
    table = page.partition("Time by specialist")[2].partition("</table>")[0]
    rows = [row.partition("</tr>")[0] for row in table.split("data-key=")[1:]]
    assert len(rows) == 2 and "\u2013</span>" in rows[0] and "\u2013</span>" not in rows[1]


def test_of_too_few_nothing_is_shown_by_a_dimension_either(ada: Assistant, reader: Client) -> None:
    project = finish(ada, ENOUGH - 1, "tester")
    page = page_of(reader, project, "?by=specialist")
    assert 'data-key="tester"' in page and "100%" not in page


def test_a_dimension_lists_its_keys_by_name_and_not_by_rate(ada: Assistant, reader: Client) -> None:
    for specialist, number in (("tester", 9), ("implementer", 5), ("researcher", 7)):
        project = finish(ada, number, specialist)
    page = page_of(reader, project, "?by=specialist")
    (rows,) = {tuple(re.findall(r'data-key="(\w+)"', table)) for table in page.split("<tbody>")[1:]}
    assert rows == ("implementer", "researcher", "tester")


def test_a_plan_is_named_by_its_title(ada: Assistant, reader: Client) -> None:
    page = page_of(reader, finish(ada, ENOUGH), "?by=plan")
    plan = Task.objects.get(parent=None)
    assert f'href="/tasks/{plan.public_id}/"' in page and plan.title in page


def test_an_unknown_dimension_shows_the_whole_project(ada: Assistant, reader: Client) -> None:
    assert 'id="figures"' in page_of(reader, finish(ada, ENOUGH), "?by=person")


@pytest.mark.parametrize("by", ["project", *DIMENSIONS])
def test_no_figure_is_about_a_person_or_a_session(ada: Assistant, reader: Client, by: str) -> None:
    page = page_of(reader, finish(ada, ENOUGH), f"?by={by}").partition("<main")[2].partition("</main>")[0]
    assert not re.search(r"\bada\b|session_", page)


@pytest.mark.parametrize("name", Name)
def test_each_figure_belongs_to_a_group_and_leads_to_its_tasks_and_an_action(client: Client, name: Name) -> None:
    project, owner = make_project(), signed_in(client, is_staff=True, is_superuser=True)
    assert [name in names for names in GROUPS.values()].count(True) == 1
    assert owner.get(tasks_address(project, name)).status_code == 200
    assert owner.get(action_of(name).address(project)).status_code == 200


@pytest.mark.parametrize(
    ("dimension", "key"), [("specialist", "tester"), ("client", "claude-code"), ("cell", "tester/moderate")]
)
def test_a_figure_leads_to_exactly_the_tasks_that_it_counts(
    ada: Assistant, reader: Client, dimension: Dimension, key: str
) -> None:
    project = finish(ada, 5, "tester")
    if dimension != "client":
        finish(ada, 2)
    (figure,) = [each for each in figures_of(project).of(Name.DONE, dimension) if each.key == key]
    page = html_of(reader.get(tasks_address(project, Name.DONE, figure.dimension, figure.key)))
    assert len(re.findall(r'<tr id="task-', page)) == figure.n


def test_a_list_of_another_client_or_model_is_empty(ada: Assistant, reader: Client) -> None:
    project = finish(ada, 5)
    for name in ("client", "model"):
        page = html_of(reader.get(f"/projects/{project.slug}/tasks/?{name}=codex"))
        assert '<tr id="task-' not in page and f'data-filter="{name}"' in page


def test_what_owners_alone_may_do_is_offered_to_them_alone(ada: Assistant, client: Client, reader: Client) -> None:
    project = finish(ada, ENOUGH)
    settings = f'href="/projects/{project.slug}/settings/'
    Task.objects.update(gates=["report"])
    assert settings not in row_of(page_of(reader, project), Name.GATES_MISSED)
    owner = signed_in(Client(), name="olga", is_staff=True, is_superuser=True)
    assert settings in row_of(page_of(owner, project), Name.GATES_MISSED)


def test_a_trend_draws_no_day_of_too_few(ada: Assistant, reader: Client) -> None:
    project = finish(ada, ENOUGH)
    for name in (Name.SUCCESS, Name.DONE):
        for back, n in enumerate([ENOUGH, ENOUGH - 1, 1]):
            day = figures_of(project).day - timedelta(days=back)
            facts = {"day": day, "days": 30, "n": n, "value": n, "until": 1}
            Figure.objects.create(project=project, name=name, dimension=Dimension.PROJECT, **facts)
    page = page_of(reader, project)
    assert "<polyline" not in row_of(page, Name.SUCCESS) and "<polyline" in row_of(page, Name.DONE)


def test_completed_per_day_is_a_drawing_with_a_table_of_the_same_numbers(ada: Assistant, reader: Client) -> None:
    project = finish(ada, 3)
    chart = page_of(reader, project).partition('id="per-day"')[2].partition("</figure>")[0]
    assert re.search(r'<svg class="days" role="img" aria-label="[^"]+"', chart)
    assert "Most on a day: 3" in chart
    assert all(f"<p>{day.day} {day:%b}</p>" in chart for day, *_ in (figures_of(project).flow[at] for at in (0, -1)))
    drawn = [int(title.rpartition(": ")[2]) for title in re.findall(r"<rect[^>]*><title>([^<]+)", chart)]
    cells = [int(number) for number in re.findall(r'<td class="number">(\d+)</td></tr>', chart)]
    assert drawn == cells and sum(drawn) == 3


class TestALargeBoard:
    @pytest.fixture(autouse=True)
    def large(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(counted, "FEW", 3)

    @pytest.mark.parametrize("switch", ["suggest", "act"])
    def test_it_says_that_it_was_not_counted_yet_and_not_that_it_was_stored(
        self, ada: Assistant, reader: Client, switch: str
    ) -> None:
        project = finish(ada, ENOUGH)
        Project.objects.update(settings={"metrics": {"daily": switch}})
        page = page_of(reader, project)
        assert 'id="nothing"' in page and 'id="figures"' not in page and 'id="per-day"' not in page
        says = page.partition('id="nothing">')[2].partition("</p>")[0]
        assert "stored" not in says and ("every hour" in says) is (switch == "act")

    def test_who_may_act_counts_again(self, ada: Assistant, client: Client) -> None:
        project = finish(ada, ENOUGH)
        Project.objects.update(settings={"metrics": {"daily": "suggest"}})
        staff = signed_in(client, is_staff=True)
        assert f'action="/projects/{project.slug}/insights/count/"' in page_of(staff, project)
        answer = staff.post(f"/projects/{project.slug}/insights/count/", follow=True)
        assert f'data-n="{ENOUGH}"' in row_of(html_of(answer), Name.DONE)

    def test_where_a_job_counts_daily_it_is_queued(self, ada: Assistant, client: Client) -> None:
        project = finish(ada, ENOUGH)
        signed_in(client, is_staff=True).post(f"/projects/{project.slug}/insights/count/")
        task = OrmQ.objects.get().task
        assert (task["args"], Figure.objects.count()) == (("count_figures",), 0)

    def test_a_reader_does_not(self, ada: Assistant, reader: Client) -> None:
        project = finish(ada, ENOUGH)
        assert f'action="/projects/{project.slug}/insights/count/"' not in page_of(reader, project)
        assert reader.post(f"/projects/{project.slug}/insights/count/").status_code == 403
        assert not Figure.objects.exists()


def test_switched_off_there_are_no_figures_on_the_page_and_over_rest(ada: Assistant, reader: Client) -> None:
    project = finish(ada, ENOUGH)
    Project.objects.update(settings={"metrics": {"daily": "off"}})
    page = page_of(reader, project)
    assert 'id="nothing"' in page and 'id="figures"' not in page
    answer = rest().get(f"/projects/{project.slug}/insights")
    assert (answer["figures"], answer["flow"]) == ([], [])


def test_switched_off_no_rate_and_no_chart_of_zeros_is_shown(ada: Assistant, reader: Client) -> None:
    project = finish(ada, ENOUGH)
    ada.plan("A")
    Project.objects.update(settings={"metrics": {"daily": "off"}})
    page = page_of(reader, project)
    row = page.partition("data-specialist=")[2].partition("</tr>")[0]
    assert "1 task" in row and "0.0" not in row and "too few" not in row
    assert 'id="per-day"' not in page and "counted just now" not in page
    (load,) = rest().get(f"/projects/{project.slug}/workload")["loads"]
    assert (load["arrivals"], load["finishes"], load["ready"]) == (None, None, 1)


@pytest.mark.parametrize("query", ["", *(f"?by={each}" for each in DIMENSIONS)])
def test_the_page_takes_few_queries(ada: Assistant, reader: Client, query: str) -> None:
    project = finish(ada, ENOUGH)
    with CaptureQueriesContext(connection) as captured:
        page_of(reader, project, query)
    assert len(captured) <= QUERIES


def test_hostile_names_stay_text(ada: Assistant, reader: Client) -> None:
    hostile: Any = "<script>document.title='taken'</script>"
    project = finish(ada, ENOUGH)
    Task.objects.filter(parent=None).update(title=hostile)
    assert hostile not in page_of(reader, project, "?by=plan")


def test_a_figure_of_a_template_leads_to_the_plans_of_it(reader: Client) -> None:
    project = make_project()
    address = tasks_address(project, Name.DONE, Dimension.TEMPLATE, "bugfix@1")
    assert address == f"/projects/{project.slug}/library/templates/bugfix/"
    assert reader.get(address).status_code == 200


class TestSuggestions:
    def test_before_anything_was_predicted_it_says_what_to_do(self, reader: Client) -> None:
        section = page_of(reader, make_project()).partition('id="suggestions"')[2].partition("</section>")[0]
        assert 'class="empty"' in section

    def test_each_method_is_shown_beside_the_others_on_the_same_tasks(self, reader: Client) -> None:
        project = make_project()
        for method in Method:
            Score.objects.create(project=project, method=method, tenth=8, n=20, right=15, second=3)
        page = page_of(reader, project)
        assert re.findall(r'<tr id="method-(\w+)" data-n="(\d+)"', page) == [(each.value, "20") for each in Method]
        assert page.count("<b>75%</b>") == len(Method)

    def test_of_too_few_no_rate_is_shown(self, reader: Client) -> None:
        project = make_project()
        Score.objects.create(project=project, method=Method.MAJORITY, tenth=8, n=ENOUGH - 1, right=ENOUGH - 1)
        assert "100%" not in page_of(reader, project)

    def test_switched_off_they_are_not_mentioned(self, reader: Client) -> None:
        project = make_project(settings={"routing": {"suggest": "off"}})
        assert 'id="suggestions"' not in page_of(reader, project)

    def test_the_newest_lead_to_their_tasks(self, reader: Client) -> None:
        task = make_task(make_project(), title="Weigh it")
        Suggestion.objects.create(
            project=task.project, task=task, public_id="suggestion_1", kind=Kind.SPECIALIST, actor_kind="person",
            answer=[{"value": "tester", "confidence": 0.8}], chosen="reviewer", outcome=Outcome.OTHER,
        )  # fmt: skip
        section = page_of(reader, task.project).partition('id="suggestions"')[2]
        assert f"/tasks/{task.public_id}/" in section and "reviewer" in section


def test_capacity_hides_what_too_few_say(ada: Assistant, reader: Client) -> None:
    page = page_of(reader, finish(ada, ENOUGH - 1, "tester"))
    row = page.partition('data-specialist="tester"')[2].partition("</tr>")[0]
    assert "too few" in row


def test_capacity_counts_what_waits_and_shows_one_task_in_a_month_as_more_than_nothing(
    ada: Assistant, reader: Client
) -> None:
    subtasks = [subtask("A", specialist_type="tester"), subtask("B", specialist_type="tester", dependencies=["A"])]
    ada.call("plan_task", description="A job", subtasks=subtasks)
    project = finish(ada, 1, "tester")
    Project.objects.update(created_at=timezone.now() - timedelta(days=90))
    row = page_of(reader, project).partition('data-specialist="tester"')[2].partition("</tr>")[0]
    assert "1 waiting" in row and "0.03 done" in row


def test_on_a_large_board_capacity_is_left_to_who_asks_for_it(
    ada: Assistant, reader: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view, "LARGE", -1)
    page = page_of(reader, finish(ada, ENOUGH, "tester"))
    assert "data-specialist" not in page and "/workload" in page.partition('id="capacity"')[2]
