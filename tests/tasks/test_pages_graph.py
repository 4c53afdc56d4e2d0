"""The dependency graph, `/tasks/<public_id>/graph/`: of a plan, of a group, and around one task."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from django.templatetags.static import static
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from tasks.choices import Complexity, Status
from tasks.models import Project, Task
from tasks.selectors import graph
from tests.factories import html_of, make_dependency, make_plan, make_project, make_task, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(client: Client) -> Project:
    signed_in(client)
    return make_project("ledger", name="The ledger")


def _page(client: Client, task: Task, query: str = "") -> str:
    return html_of(client.get(f"/tasks/{task.public_id}/graph/?{query}"))


def _nodes(page: str) -> dict[str, str]:
    """The classes of each drawn task, by its accessible name."""
    found = re.findall(r'<a href="[^"]+" id="node-[^"]+" class="node ([^"]+)" aria-label="([^"]+)"', page)
    return {name: classes for classes, name in found}


def _named(page: str) -> dict[str, list[str]]:
    """The further names in the accessible name of each drawn task, by its own: its group, then what blocks it."""
    names = [re.findall("\u2068(.*?)\u2069", name) for name in _nodes(page)]
    return {name: others for name, *others in names}


def _lines(page: str) -> list[str]:
    """The class of each line."""
    groups = re.findall(r'<g class="(line-\d)"[^>]*>(.*?)</g>', page.partition('id="graph-box"')[2])
    return [kind for kind, lines in groups for _ in range(lines.count("<path"))]


def _chain(project: Project, *titles: str, **fields: str) -> tuple[Task, list[Task]]:
    """A plan whose subtasks wait for each other, one after the other."""
    plan = make_plan(project, 0, title="The plan")
    tasks = [
        make_task(project, parent=plan, title=title, position=place, **fields) for place, title in enumerate(titles)
    ]
    for need, task in pairwise(tasks):
        make_dependency(task, need)
    return plan, tasks


def test_a_stranger_is_sent_to_sign_in(client: Client) -> None:
    assert client.get(f"/tasks/{make_plan(make_project()).public_id}/graph/").status_code == 302


def test_an_unknown_task_has_no_graph(client: Client, project: Project) -> None:
    assert client.get("/tasks/task_00000000/graph/").status_code == 404


def test_a_plan_shows_its_tasks_as_links_that_say_state_specialist_and_what_they_wait_for(
    client: Client, project: Project
) -> None:
    plan, tasks = _chain(project, "Design", "Build", specialist="architect")
    page = _page(client, plan)
    assert f'<a href="/tasks/{tasks[1].public_id}/" id="node-{tasks[1].public_id}"' in page
    assert _named(page) == {"Design": [], "Build": ["Design"]}
    assert all("architect" in name and classes == "pending critical" for name, classes in _nodes(page).items())


def test_states_have_shapes_and_a_legend(client: Client, project: Project) -> None:
    page = _page(client, make_plan(project, 8, statuses=list(Status)))
    drawing, legend = page.partition('id="graph-box"')[2], page.partition('class="legend"')[2].partition("</ul>")[0]
    for status in Status:
        assert f'{static("orchestrator/icons.svg")}#{status}"' in drawing and status.label in legend


def test_the_critical_path_is_marked_and_weighted_by_complexity(client: Client, project: Project) -> None:
    plan, (first, last) = _chain(project, "First", "Last")
    light = make_task(project, parent=plan, title="Light", complexity=Complexity.SIMPLE)
    heavy = make_task(project, parent=plan, title="Heavy", complexity=Complexity.VERY_COMPLEX)
    for middle in (light, heavy):
        make_dependency(middle, first)
        make_dependency(last, middle)
    page = _page(client, plan)
    critical = {name.split("\u2069")[0][1:] for name, classes in _nodes(page).items() if "critical" in classes}
    assert critical == {"First", "Heavy", "Last"}
    assert 'id="legend-critical" data-steps="3"' in page and _lines(page).count("line-3") == 2


def test_finished_work_is_on_no_critical_path(client: Client, project: Project) -> None:
    plan, _ = _chain(project, "First", "Last", status=Status.COMPLETED)
    page = _page(client, plan)
    assert "legend-critical" not in page and _lines(page) == ["line-1"]


def test_finished_work_of_a_group_does_not_interrupt_the_critical_path(client: Client, project: Project) -> None:
    plan = make_plan(project, 0, title="The plan")
    need, sequel = (make_task(project, parent=plan, title=title) for title in ("Need", "Sequel"))
    group = make_task(project, parent=plan, title="The group", is_leaf=False)
    early = make_task(project, parent=group, title="Early and over", status=Status.COMPLETED)
    work = make_task(project, parent=group, title="Work sent back", status=Status.NEEDS_REVISION)
    late = make_task(project, parent=group, title="Late and over", status=Status.COMPLETED)
    make_dependency(work, early)
    make_dependency(late, work)
    make_dependency(group, need)
    make_dependency(sequel, group)
    critical = [name for name, classes in _nodes(_page(client, plan)).items() if "critical" in classes]
    assert [name.partition("\u2069")[0].strip("\u2068") for name in critical] == [
        "Need",
        "Work sent back",
        "The group",
        "Sequel",
    ]


def test_what_a_group_waits_for_is_drawn_once_and_not_for_each_of_its_subtasks(
    client: Client, project: Project
) -> None:
    plan = make_plan(project, 0)
    need = make_task(project, parent=plan, title="Need")
    group = make_task(project, parent=plan, title="Group", is_leaf=False)
    make_dependency(group, need)
    begin, end = (make_task(project, parent=group, title=title) for title in ("Begin", "End"))
    make_dependency(end, begin)
    for leaf in (begin, end):
        make_dependency(leaf, need, inherited_from=group)
    page = _page(client, plan)
    assert _named(page) == {"Need": [], "Begin": ["Group", "Need"], "End": ["Group", "Begin"]}
    assert len(_lines(page)) == 2


def test_a_group_that_blocks_others_comes_after_its_last_subtasks(client: Client, project: Project) -> None:
    plan = make_plan(project, 0)
    group = make_task(project, parent=plan, title="Group", specialist="", is_leaf=False)
    begin, end = (make_task(project, parent=group, title=title) for title in ("Begin", "End"))
    make_dependency(end, begin)
    after = make_task(project, parent=plan, title="After")
    make_dependency(after, group)
    page = _page(client, plan)
    named = _named(page)
    assert (named["Group"], named["After"]) == (["End"], ["Group"])
    assert next(name for name, classes in _nodes(page).items() if "group" in classes).startswith("\u2068Group")


def test_a_group_has_a_graph_of_its_own_with_what_it_waits_for_outside(client: Client, project: Project) -> None:
    plan = make_plan(project, 0)
    need = make_task(project, parent=plan, title="Outside need")
    group = make_task(project, parent=plan, title="Group", is_leaf=False)
    make_dependency(group, need)
    deep = make_task(project, parent=group, title="Inner group", is_leaf=False)
    inner = make_task(project, parent=deep, title="Inner")
    make_dependency(inner, need, inherited_from=group)
    make_task(project, parent=plan, title="Elsewhere")
    page = _page(client, group)
    nodes = _nodes(page)
    assert len(nodes) == 2 and "Elsewhere" not in " ".join(nodes)
    assert [classes for name, classes in nodes.items() if name.startswith("\u2068Outside")] == [
        "pending outside critical"
    ]
    assert "Outside need" in _named(page)["Inner"]


def test_outside_tasks_are_marked_and_in_the_legend(client: Client, project: Project) -> None:
    elsewhere = make_task(project, parent=make_plan(project, 0), title="Elsewhere")
    plan, (task,) = _chain(project, "Here")
    assert "legend-outside" not in _page(client, plan)
    make_dependency(task, elsewhere)
    page = _page(client, plan)
    assert 'id="legend-outside"' in page
    assert [name.partition("\u2069")[0] for name, classes in _nodes(page).items() if "outside" in classes] == [
        "\u2068Elsewhere"
    ]


def test_archived_tasks_are_not_drawn(client: Client, project: Project) -> None:
    plan = make_plan(project, 1)
    make_task(project, parent=plan, title="Put away", archived_at=plan.created_at)
    assert "Put away" not in _page(client, plan)


@pytest.mark.parametrize("page", ["graph", "timeline", "synthesis"])
def test_a_plan_that_is_archived_says_so_and_not_that_it_is_empty(client: Client, project: Project, page: str) -> None:
    plan = make_plan(project, 0, archived_at=timezone.now())
    make_task(project, parent=plan, archived_at=timezone.now())
    shown = html_of(client.get(f"/tasks/{plan.public_id}/{page}/"))
    assert shown.count('class="empty"') == 1 and 'class="empty" id="archived"' in shown


def test_only_unfinished_tasks_when_asked_for(client: Client, project: Project) -> None:
    plan, (first, _) = _chain(project, "First", "Last")
    Task.objects.filter(pk=first.pk).update(status=Status.COMPLETED, completed_at=plan.created_at)
    page = _page(client, plan, "part=open")
    assert len(_nodes(page)) == 1 and 'data-shown="1" data-unfinished="1"' in page


def test_a_plan_that_is_finished_says_so_instead_of_nothing(client: Client, project: Project) -> None:
    page = _page(client, make_plan(project, 3, statuses=[Status.COMPLETED]), "part=open")
    assert 'id="all-finished"' in page and _nodes(page) == {}


def test_a_plan_too_large_shows_its_unfinished_part_and_says_so(
    client: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, "NODES", 5)
    page = _page(client, make_plan(project, 9, statuses=[Status.COMPLETED, Status.PENDING, Status.BLOCKED]))
    assert 'id="only-unfinished"' in page and len(_nodes(page)) == 5
    assert 'data-shown="5" data-unfinished="6"' in page and 'id="tasks-cut"' in page


def test_an_empty_plan_says_what_to_do(client: Client, project: Project) -> None:
    assert 'class="empty">' in _page(client, make_plan(project, 0))


def test_tasks_alike_share_a_frame_with_one_line(client: Client, project: Project) -> None:
    plan = make_plan(project, 12)
    last = make_task(project, parent=plan, title="Last")
    for task in plan.children.exclude(pk=last.pk):
        make_dependency(last, task)
    page = _page(client, plan)
    assert page.count('<rect class="frame"') == 2 and len(_lines(page)) == 1  # the drawing's, and the legend's
    assert 'id="legend-frame"' in page


@pytest.mark.parametrize(("size", "step"), [(8, "large"), (80, "medium"), (300, "small")])
def test_tasks_are_drawn_as_large_as_stays_readable(client: Client, project: Project, size: int, step: str) -> None:
    page = _page(client, make_plan(project, size))
    assert f'<svg class="graph {step}"' in page and len(_nodes(page)) == size
    assert ('class="who"' in page) == (step != "small")


@pytest.mark.parametrize(
    ("asked", "step"), [("small", "small"), ("large", "large"), ("fit", "medium"), ("x", "medium")]
)
def test_another_size_can_be_asked_for(client: Client, project: Project, asked: str, step: str) -> None:
    page = _page(client, make_plan(project, 80), f"zoom={asked}&around=")
    assert f'<svg class="graph {step}"' in page
    assert f'data-zoom="{asked if asked != "x" else "medium"}"' in page


def test_the_text_version_is_in_dependency_order(client: Client, project: Project) -> None:
    plan, _ = _chain(project, "Design", "Build", "Test")
    words = _page(client, plan).partition('id="in-words"')[2].partition("</details>")[0]
    names = [re.findall("\u2068(\\w+)\u2069", line) for line in re.findall(r"<li>(.*?)</li>", words)]
    assert names == [["Design"], ["Build", "Design"], ["Test", "Build"]]


def test_a_task_shows_what_is_near_it_on_both_sides(client: Client, project: Project) -> None:
    _, tasks = _chain(project, "One", "Two", "Three", "Four", "Five", "Six", "Seven")
    for depth, shown in (
        (1, "Three Four Five"),
        (2, "Two Three Four Five Six"),
        (3, "One Two Three Four Five Six Seven"),
    ):
        nodes = _nodes(_page(client, tasks[3], f"depth={depth}"))
        assert {name.split("\u2069")[0][1:] for name in nodes} == set(shown.split())
    assert next(name for name, classes in nodes.items() if "here" in classes).startswith("\u2068Four\u2069")


@pytest.mark.parametrize("query", ["depth=0", "depth=99", "depth=-1", "depth=x", "zoom=%00", "part=x", "around=%00"])
def test_nonsense_in_the_address_breaks_nothing(client: Client, project: Project, query: str) -> None:
    _, tasks = _chain(project, "One", "Two")
    assert client.get(f"/tasks/{tasks[0].public_id}/graph/?{query}").status_code in (200, 404)


def test_near_a_task_stand_the_needs_that_it_inherits_and_who_waits_for_its_group(
    client: Client, project: Project
) -> None:
    plan = make_plan(project, 0)
    need = make_task(project, parent=plan, title="Need")
    group = make_task(project, parent=plan, title="Group", is_leaf=False)
    make_dependency(group, need)
    leaf = make_task(project, parent=group, title="Leaf")
    make_dependency(leaf, need, inherited_from=group)
    after = make_task(project, parent=plan, title="After")
    make_dependency(after, group)
    nodes = _nodes(_page(client, leaf, "depth=2"))
    assert {name.split("\u2069")[0][1:] for name in nodes} == {"Need", "Leaf", "Group", "After"}


def test_neighbors_include_dependents_of_outer_groups(client: Client, project: Project) -> None:
    plan = make_plan(project, 0)
    outer = make_task(project, parent=plan, title="Outer", is_leaf=False)
    inner = make_task(project, parent=outer, title="Inner", is_leaf=False)
    leaf = make_task(project, parent=inner, title="Leaf")
    make_dependency(make_task(project, parent=plan, title="After"), outer)
    nodes = _nodes(_page(client, leaf, "depth=2"))
    assert {name.split("\u2069")[0][1:] for name in nodes} == {"Leaf", "Outer", "After"}


def test_neighbors_are_linked_with_each_other(client: Client, project: Project) -> None:
    plan = make_plan(project, 0)
    need, here, after = (make_task(project, parent=plan, title=title) for title in ("Need", "Here", "After"))
    for task, other in ((here, need), (after, here), (after, need)):
        make_dependency(task, other)
    page = _page(client, here, "depth=1")
    (said,) = [name for name in _nodes(page) if name.startswith("\u2068After")]
    assert len(_lines(page)) == 3 and "\u2068Need\u2069" in said


def test_the_neighbourhood_of_a_task_is_reached_from_its_plan(client: Client, project: Project) -> None:
    plan, tasks = _chain(project, "One", "Two", "Three", "Four")
    page = _page(client, plan, f"around={tasks[0].public_id}&depth=1")
    assert len(_nodes(page)) == 2 and f'Around <a href="/tasks/{tasks[0].public_id}/"' in page
    assert "\u2068One" in page.partition("</title>")[0]
    stranger = make_task(make_project())
    assert client.get(f"/tasks/{plan.public_id}/graph/?around={stranger.public_id}").status_code == 404


def test_a_neighbourhood_too_large_is_cut_and_says_so(
    client: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, "NEARBY", 3)
    plan = make_plan(project, 9)
    first, *others = plan.children.all()
    for other in others:
        make_dependency(other, first)
    page = _page(client, first)
    assert len(_nodes(page)) == 4 and 'id="tasks-cut"' in page


def test_more_dependencies_than_can_be_read_are_cut_and_said(
    client: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, "LINES", 2)
    plan, _ = _chain(project, "One", "Two", "Three", "Four")
    page = _page(client, plan)
    assert 'id="lines-cut"' in page and len(_lines(page)) == 2


def test_more_tasks_from_elsewhere_than_can_be_drawn_are_cut_and_said(
    client: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, "NEARBY", 2)
    plan, (first,) = _chain(project, "One")
    for _ in range(2):
        make_dependency(first, make_task(project))
    assert "outside-cut" not in _page(client, plan)
    make_dependency(first, make_task(project))
    page = _page(client, plan)
    assert 'id="outside-cut"' in page and len(_nodes(page)) == 3


def test_hostile_titles_show_as_text(client: Client, project: Project) -> None:
    evil = '<script>alert(1)</script>"><img src=x onerror=alert(2)>\u202e🎉'
    plan = make_plan(project, 0, title=evil)
    first = make_task(project, parent=plan, title=evil, specialist="<i>x</i>", public_id="evil_1")
    make_dependency(make_task(project, parent=plan, title="]]>&amp;" + "x" * 280), first)
    page = _page(client, plan, "zoom=large")
    assert "<script>alert" not in page and "<img src=x" not in page and "<i>x" not in page
    assert "&lt;script&gt;alert(1)" in page


@pytest.mark.parametrize("size", [3, 30])
def test_a_graph_takes_as_many_queries_whatever_its_size(
    client: Client, project: Project, django_assert_num_queries: DjangoAssertNumQueries, size: int
) -> None:
    plan = make_plan(project, 0)
    outside = make_task(project)
    for number in range(size):
        group = make_task(project, parent=plan, is_leaf=False, position=number)
        leaves = [make_task(project, parent=group) for _ in range(2)]
        make_dependency(*leaves)
        make_dependency(leaves[1], outside)
    # session, user, what waits for review, task; then groups, counts, leaves, dependencies, what stands outside
    with django_assert_num_queries(10):
        client.get(f"/tasks/{plan.public_id}/graph/")


@pytest.mark.parametrize("size", [3, 30])
def test_a_neighbourhood_takes_as_many_queries_whatever_is_there(
    client: Client, project: Project, django_assert_num_queries: DjangoAssertNumQueries, size: int
) -> None:
    plan = make_plan(project, 2 * size + 1)
    task, *others = plan.children.all()
    for number, other in enumerate(others):
        make_dependency(*((task, other) if number % 2 else (other, task)))
    # session, user, reviews, task; then what is needed, its tasks, what needs it, groups, and their tasks; lines
    with django_assert_num_queries(16):
        client.get(f"/tasks/{task.public_id}/graph/?depth=2")
