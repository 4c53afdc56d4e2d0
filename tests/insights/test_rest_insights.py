"""Figures, their history, and the suggestions of a project over REST."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tasks.insights.choices import Dimension, Kind, Method, Name, Outcome
from tasks.insights.models import Figure, Score, Suggestion
from tasks.insights.selectors.figures import ENOUGH, figures_of
from tasks.models import Project
from tests.assistants import Assistant
from tests.factories import make_project
from tests.insights.finished import finish
from tests.rest import rest

pytestmark = pytest.mark.django_db


def make_suggestion(project: Project, number: int, **fields: Any) -> Suggestion:
    facts = {"actor_kind": "person", "actor_name": "ada", "kind": Kind.SPECIALIST, "input_sha256": "0" * 64}
    return Suggestion.objects.create(project=project, public_id=f"suggestion_{number:010}", **{**facts, **fields})


def test_every_figure_comes_with_its_n(ada: Assistant) -> None:
    project = finish(ada, ENOUGH)
    answer = rest().get(f"/projects/{project.slug}/insights")
    counted = figures_of(project)
    expected = {(each.name, each.dimension, each.key): each.n for each in counted}
    found = {(row["name"], row["dimension"], row["key"]): row["n"] for row in answer["figures"]}
    assert found.items() <= expected.items()
    assert {key[1] for key in found} >= {Dimension.PROJECT, Dimension.PLAN, Dimension.SPECIALIST, Dimension.CLIENT}
    assert (answer["days"], answer["until"], answer["is_stored"]) == (counted.days, counted.until, False)


def test_of_too_few_no_value_is_told_but_numbers_are(ada: Assistant) -> None:
    project = finish(ada, ENOUGH - 1)
    rows = rest().get(f"/projects/{project.slug}/insights?dimension=project")["figures"]
    by_name = {row["name"]: row for row in rows}
    assert (by_name["success"]["value"], by_name["success"]["enough"]) == (None, False)
    assert (by_name["lead"]["value"], by_name["lead"]["high"]) == (None, None)
    assert (by_name["done"]["value"], by_name["done"]["enough"]) == (ENOUGH - 1, True)


def test_the_days_of_the_window_add_up_to_what_was_done(ada: Assistant) -> None:
    project = finish(ada, ENOUGH)
    answer = rest().get(f"/projects/{project.slug}/insights?name=done&dimension=project")
    assert len(answer["flow"]) == answer["days"]
    assert sum(day["done"] for day in answer["flow"]) == answer["figures"][0]["value"] == ENOUGH


def test_names_and_dimensions_select(ada: Assistant) -> None:
    project = finish(ada, ENOUGH)
    rows = rest().get(f"/projects/{project.slug}/insights?name=lead,work&dimension=specialist")["figures"]
    assert {(row["name"], row["dimension"]) for row in rows} == {("lead", "specialist"), ("work", "specialist")}


@pytest.mark.parametrize(
    ("query", "at"), [("name=speed", "name"), ("dimension=person", "dimension"), ("by=plan", "by")]
)
def test_what_there_is_no_figure_of_is_refused_with_what_is_allowed(query: str, at: str) -> None:
    make_project("ledger")
    problem = rest().refused(400, "GET", f"/projects/ledger/insights?{query}")
    assert (problem["problems"][0]["at"], bool(problem["problems"][0]["allowed"])) == (at, True)


def test_the_history_of_a_figure_is_what_was_stored_day_by_day() -> None:
    project, today = make_project("ledger"), timezone.now().date()
    for back, value in enumerate([3.0, 2.0, 1.0]):
        facts = {"day": today - timedelta(days=back), "days": 30, "n": 9, "value": value, "until": 1}
        Figure.objects.create(project=project, name=Name.LEAD, dimension=Dimension.PROJECT, **facts)
        Figure.objects.create(project=project, name=Name.LEAD, dimension=Dimension.PLAN, key="x", **facts)
    answer = rest().get("/projects/ledger/insights/history?name=lead&days=2")
    assert [(day["value"], day["n"]) for day in answer["days"]] == [(2.0, 9), (3.0, 9)]


def test_the_history_leaves_out_days_of_too_few_but_numbers_stay() -> None:
    project, today = make_project("ledger"), timezone.now().date()
    for name in (Name.FIRST_PASS, Name.LEAD, Name.DONE):
        for back, n in enumerate([ENOUGH - 1, ENOUGH]):
            facts = {"day": today - timedelta(days=back), "days": 30, "n": n, "value": n, "until": 1}
            Figure.objects.create(project=project, name=name, dimension=Dimension.PROJECT, **facts)
    shown = {name: rest().get(f"/projects/ledger/insights/history?name={name}")["days"] for name in Name}
    counts = {name: [day["n"] for day in days] for name, days in shown.items() if days}
    assert counts == {Name.FIRST_PASS: [ENOUGH], Name.LEAD: [ENOUGH], Name.DONE: [ENOUGH, ENOUGH - 1]}


def test_suggestions_are_listed_newest_first_and_page_by_page() -> None:
    project = make_project("ledger")
    made = [make_suggestion(project, number).public_id for number in range(3)]
    make_suggestion(make_project(), 9)
    first = rest().get("/projects/ledger/suggestions?limit=2")
    second = rest().get(first["next"])
    assert [row["suggestion_id"] for row in [*first["results"], *second["results"]]] == made[::-1]


def test_suggestions_are_filtered_by_kind_and_outcome() -> None:
    project = make_project("ledger")
    make_suggestion(project, 1)
    taken = make_suggestion(project, 2, outcome=Outcome.ACCEPTED, chosen="tester", decided_at=timezone.now())
    make_suggestion(project, 3, kind=Kind.NEXT_TASK, outcome=Outcome.OTHER)
    (row,) = rest().get("/projects/ledger/suggestions?kind=specialist&outcome=accepted")["results"]
    assert (row["suggestion_id"], row["chosen"], row["outcome"]) == (taken.public_id, "tester", "accepted")
    assert rest().refused(400, "GET", "/projects/ledger/suggestions?kind=person")["code"] == "invalid"


@pytest.mark.parametrize("address", ["insights", "insights/history", "suggestions", "suggestions/accuracy"])
def test_a_token_of_another_project_finds_nothing(address: str) -> None:
    make_project("ledger")
    rest(project=make_project()).refused(404, "GET", f"/projects/ledger/{address}")


def test_the_accuracy_of_each_method_has_its_interval_and_its_n() -> None:
    project = make_project("ledger")
    for method, right in ((Method.MAJORITY, 10), (Method.SUGGESTED, 18)):
        Score.objects.create(project=project, method=method, tenth=9, n=20, right=right, second=1, unsure=2)
    make_suggestion(project, 1, outcome=Outcome.ACCEPTED)
    answer = rest().get("/projects/ledger/suggestions/accuracy")
    by_method = {row["method"]: row for row in answer["methods"]}
    assert by_method.keys() == set(Method.values)
    suggested = by_method["suggested"]
    assert (suggested["n"], suggested["rate"], suggested["first_two"], suggested["abstained"]) == (20, 0.9, 0.95, 0.1)
    assert suggested["low"] < 0.9 < suggested["high"]
    assert (by_method["rules"]["n"], by_method["rules"]["rate"]) == (0, None)
    assert (answer["shown"], answer["decided"], answer["accepted"]) == (1, 1, 1)
