"""One figure is the same through the tool, over REST and on the page."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from tasks.insights.choices import Dimension, Name
from tasks.insights.selectors.figures import ENOUGH, figures_of
from tests.assistants import Assistant
from tests.factories import html_of, signed_in
from tests.insights.finished import finish
from tests.rest import rest

pytestmark = pytest.mark.django_db
PRECISION = 0.0005
"""The tool rounds to three places."""


def test_a_rate_a_time_and_a_number_are_the_same_everywhere(ada: Assistant, client: Client) -> None:
    project = finish(ada, ENOUGH, "tester")
    known = {each.name: each for each in figures_of(project).by(Dimension.PROJECT) if not each.key}
    tool = ada.call("specialist_intelligence", action="analyze_performance")
    by_tool = {row["name"]: (row["n"], row["value"]) for row in tool["figures"]}
    answer = rest().get(f"/projects/{project.slug}/insights?dimension=project")
    by_rest = {row["name"]: (row["n"], row["value"]) for row in answer["figures"]}
    page = html_of(signed_in(client).get(f"/projects/{project.slug}/insights/"))
    rows = re.findall(r'<tr id="figure-(\w+)" data-n="(\d+)" data-value="([^"]+)"', page)
    by_page = {name: (int(n), float(value)) for name, n, value in rows}
    for name in (Name.SUCCESS, Name.WORK, Name.LEASE_LOSS, Name.DONE, Name.PLANNED):
        expected = (known[name].n, pytest.approx(known[name].value, abs=PRECISION))
        assert by_rest[name] == by_page[name] == expected, name
        if name in by_tool:  # it shows as many as fit in its answer
            assert by_tool[name] == expected, name
    assert {Name.SUCCESS, Name.WORK} <= by_tool.keys()


def test_a_specialist_has_the_same_figures_everywhere(ada: Assistant, client: Client) -> None:
    project = finish(ada, ENOUGH, "tester")
    tool = ada.call("specialist_intelligence", action="analyze_performance", specialist_type="tester")
    (by_tool,) = [(row["n"], row["value"]) for row in tool["figures"] if row["name"] == "lease_loss"]
    answer = rest().get(f"/projects/{project.slug}/insights?dimension=specialist&name=lease_loss")
    (by_rest,) = [(row["n"], row["value"]) for row in answer["figures"]]
    page = html_of(signed_in(client).get(f"/projects/{project.slug}/insights/?by=specialist"))
    row = page.partition("Lease loss</th>")[2].partition('data-key="tester"')[2].partition("</tr>")[0]
    assert by_tool == by_rest == (ENOUGH, 0) and "0%" in row and f"n {ENOUGH}" in row


def test_of_too_few_none_of_them_tells_a_value(ada: Assistant, client: Client) -> None:
    project = finish(ada, ENOUGH - 1, "tester")
    tool = ada.call("specialist_intelligence", action="analyze_performance")
    (by_tool,) = [row["value"] for row in tool["figures"] if row["name"] == "success"]
    answer = rest().get(f"/projects/{project.slug}/insights?dimension=project&name=success")
    page = html_of(signed_in(client).get(f"/projects/{project.slug}/insights/"))
    row = re.search(r'<tr id="figure-success".*?</tr>', page, re.DOTALL)
    assert not isinstance(by_tool, (int, float)) and answer["figures"][0]["value"] is None
    assert row and "data-value" not in row[0] and "100%" not in row[0]
