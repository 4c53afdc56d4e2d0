"""A plan as a whole in a browser: its graph, its timeline, its synthesis, and its tree."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from artifacts.reports import synthesis
from tasks.choices import Status, Verb
from tasks.models import Event, Task
from tests.browser.axe import violations
from tests.browser.conftest import Open
from tests.factories import make_artifact, make_dependency, make_event, make_plan, make_project, make_session, make_task

PHONE = {"viewport": {"width": 390, "height": 844}}
PAGES = ("graph", "timeline", "timeline/?by=worker", "synthesis", "")


@pytest.fixture
def plan() -> Task:
    """A plan of every state with work behind it, in groups that wait for each other."""
    project = make_project("shop", name="The shop")
    top = make_plan(project, 0, title="Open the shop " + "with a name that is long " * 6)
    first, second = (make_task(project, parent=top, title=title, is_leaf=False) for title in ("Base", "Rest"))
    leaves = []
    for number in range(40):
        status = list(Status)[number % 8]
        title = f"Part {number}" if number else "x" * 200
        parent = first if number < 15 else second
        leaves.append(make_task(project, parent=parent, title=title, status=status, position=number))
        if number % 3:
            make_dependency(leaves[number], leaves[number - 1])
    make_dependency(second, first)
    _work(leaves)
    make_artifact(leaves[6], paths=["src/a/very/long/path/" * 6 + "app.py"])
    return top


def _work(leaves: list[Task]) -> None:
    """Let three assistants have worked on them, one after the other."""
    sessions = [make_session(leaves[0].project, client_name=name) for name in ("Cursor", "Codex", "Claude Code")]
    ends = {Status.COMPLETED: Verb.COMPLETE, Status.BLOCKED: Verb.BLOCK, Status.FAILED: Verb.FAIL}
    for number, leaf in enumerate(leaves):
        start = timezone.now() - timedelta(hours=40 - number)
        Task.objects.filter(pk=leaf.pk).update(started_at=start)
        for verb, later in ((Verb.CLAIM, 0), (ends.get(Status(leaf.status), Verb.RELEASE), 50)):
            if verb == Verb.CLAIM or leaf.status != Status.ACTIVE:
                event = make_event(leaf, verb, session=sessions[number % 3], after={"status": leaf.status})
                Event.objects.filter(pk=event.pk).update(created_at=start + timedelta(minutes=later))


def _goes_sideways(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > innerWidth"))


@pytest.mark.parametrize("address", PAGES)
def test_no_rule_of_accessibility_is_broken_and_the_page_never_goes_sideways(
    open_page: Open, plan: Task, address: str
) -> None:
    path = f"/tasks/{plan.public_id}/{address}" + ("" if "?" in address or not address else "/")
    page = open_page(path, **PHONE)
    assert not _goes_sideways(page)
    assert violations(page) == []


def test_the_keyboard_walks_through_the_graph_and_opens_a_task(open_page: Open, plan: Task) -> None:
    page = open_page(f"/tasks/{plan.public_id}/graph/")
    page.locator("#graph-box").focus()
    page.keyboard.press("Tab")
    focused = page.locator("#graph a:focus")
    expect(focused).to_have_count(1)
    stroke = focused.locator("rect").evaluate("element => getComputedStyle(element).strokeWidth")
    assert float(stroke.removesuffix("px")) >= 3
    address = focused.get_attribute("href")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"{address}$"))
    expect(page.locator("h1")).to_be_visible()


def test_a_graph_that_is_fitted_needs_no_scrolling_to_the_side(open_page: Open, plan: Task) -> None:
    page = open_page(f"/tasks/{plan.public_id}/graph/", **PHONE)
    width = "(box = document.querySelector('#graph-box')) => box && box.scrollWidth - box.clientWidth"
    assert page.evaluate(f"({width})()") > 0
    page.locator(".switches a[href$='zoom=fit']").click()
    expect(page).to_have_url(page.url.partition("?")[0] + "?zoom=fit")
    assert page.evaluate(f"({width})()") == 0


def test_titles_stay_within_their_boxes(open_page: Open, plan: Task) -> None:
    page = open_page(f"/tasks/{plan.public_id}/graph/?zoom=medium")
    over = page.evaluate(
        """() => [...document.querySelectorAll('#graph .node')].filter(node => {
             const right = element => element.getBoundingClientRect().right;
             const room = right(node.querySelector('rect')) + 12;
             return [...node.querySelectorAll('text')].some(text => right(text) > room);
           }).map(node => node.ariaLabel)"""
    )
    assert over == []


def test_a_task_leads_to_the_graph_around_it_and_on_to_that_of_its_plan(open_page: Open, plan: Task) -> None:
    leaf = Task.objects.within(plan).leaves().get(title="Part 16")
    page = open_page(f"/tasks/{leaf.public_id}/graph/")
    expect(page.locator("#graph .here")).to_have_count(1)
    page.locator(".switches a[href$='depth=3']").click()
    expect(page.locator(".switches a[href$='depth=3']")).to_have_attribute("aria-current", "true")
    page.locator("#whole").click()
    expect(page.locator("#graph-title")).to_have_attribute("data-shown", "40")


def test_a_group_that_was_closed_stays_closed_when_the_page_changes(open_page: Open, plan: Task) -> None:
    page = open_page(f"/tasks/{plan.public_id}/")
    group = page.locator("details[id^=below-]").first
    inner = group.get_by_text("Part 3", exact=True)
    expect(inner).to_be_visible()
    group.locator(":scope > summary").click()
    expect(inner).to_be_hidden()
    Task.objects.filter(title="Part 20").update(title="Part 20, renamed")
    page.evaluate("document.querySelector('#live').dispatchEvent(new Event('changed', { bubbles: true }))")
    expect(page.locator(".tree").get_by_text("Part 20, renamed")).to_be_visible()
    expect(inner).to_be_hidden()


def test_completed_tasks_are_unfolded_without_javascript(open_page: Open, plan: Task) -> None:
    page = open_page(f"/tasks/{plan.public_id}/", java_script_enabled=False)
    done = page.locator(".tree").get_by_text("Part 6", exact=True)
    expect(done).to_be_hidden()
    page.locator("details.fold > summary").first.click()
    expect(done).to_be_visible()


@pytest.mark.parametrize("width", [390, 960, 1280, 2560])
def test_a_long_list_of_what_awaits_a_person_never_pushes_the_tree_away(
    open_page: Open, plan: Task, width: int
) -> None:
    page = open_page(f"/tasks/{plan.public_id}/", viewport={"width": width, "height": 900})
    tree, waits = page.locator(".tree").bounding_box(), page.locator("#waits").bounding_box()
    assert tree and waits and (waits["y"] > tree["y"] or waits["x"] > tree["x"] + tree["width"])
    assert not _goes_sideways(page)


def test_scrolling_and_focus_stay_when_the_graph_changes(open_page: Open, plan: Task) -> None:
    page = open_page(f"/tasks/{plan.public_id}/graph/?zoom=large")
    box = page.locator("#graph-box")
    leaf = Task.objects.within(plan).leaves().get(title="Part 30")
    node = page.locator(f"#node-{leaf.public_id}")
    node.focus()
    before = box.evaluate("box => box.scrollLeft + box.scrollTop")
    assert before > 0
    Task.objects.filter(pk=leaf.pk).update(title="Part 30, renamed")
    page.evaluate("document.querySelector('#live').dispatchEvent(new Event('changed', { bubbles: true }))")
    expect(node.locator("text").first).to_contain_text("renamed")
    assert box.evaluate("box => box.scrollLeft + box.scrollTop") == before
    expect(node).to_be_focused()


def test_every_page_is_there_without_javascript(open_page: Open, plan: Task) -> None:
    page = open_page(f"/tasks/{plan.public_id}/", java_script_enabled=False)
    page.locator(".views a[href$='/graph/']").click()
    expect(page.locator("#graph .node")).to_have_count(41)
    page.locator(".views a[href$='/timeline/']").click()
    expect(page.locator(".lanes .stretch")).to_have_count(40)
    page.locator(".switches a[href$='by=worker']").click()
    expect(page.locator(".lanes > li")).to_have_count(3)
    page.locator(".views a[href$='/synthesis/']").click()
    page.locator("[popovertarget=more]").click()
    with page.expect_download() as download:
        page.locator("a[href$='/synthesis.md']").click()
    assert download.value.suggested_filename == f"{plan.public_id}.md"


def test_print_shows_everything(open_page: Open, plan: Task) -> None:
    page = open_page(f"/tasks/{plan.public_id}/")
    page.locator("details[id^=below-] > summary").first.click()
    page.emulate_media(media="print")
    expect(page.get_by_text("Part 3", exact=True)).to_be_visible()
    page.goto(page.url + "synthesis/")
    for chrome in ("header.top", ".pbar", "nav.views", ".verbs button"):
        expect(page.locator(chrome).first).to_be_hidden()
    expect(page.locator(".part").first).to_be_visible()


def test_paper_says_which_parts_of_how_many_it_holds(
    open_page: Open, plan: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(synthesis, "PARTS_PER_PAGE", 10)
    page = open_page(f"/tasks/{plan.public_id}/synthesis/")
    page.emulate_media(media="print")
    expect(page.locator(".pager [data-last='10'][data-total='15']")).to_be_visible()
    expect(page.locator(".pager a[rel=next]")).to_be_hidden()


def test_print_includes_the_text_version_of_the_graph(open_page: Open, plan: Task) -> None:
    page = open_page(f"/tasks/{plan.public_id}/graph/")
    words = page.locator("#in-words li").first
    expect(words).to_be_hidden()
    page.emulate_media(media="print")
    expect(words).to_be_visible()


@pytest.mark.parametrize("days", [6.9, 13, 27, 98, 210, 620])
def test_the_names_of_times_do_not_run_into_each_other_on_a_phone(open_page: Open, days: float) -> None:
    start = datetime(2026, 1, 31, 23, 50, tzinfo=UTC)
    task = make_task(make_project("shop"), status=Status.COMPLETED, started_at=start)
    for verb, moment in ((Verb.CLAIM, start), (Verb.COMPLETE, start + timedelta(days=days))):
        Event.objects.filter(pk=make_event(task, verb).pk).update(created_at=moment)
    page = open_page(f"/tasks/{task.public_id}/timeline/", **PHONE)
    names = [name.bounding_box() for name in page.locator(".scale text:visible").all()]
    places = [(box["x"], box["x"] + box["width"]) for box in names if box]
    assert len(places) > 2
    assert all(end < start for (_, end), (start, _) in pairwise(places))
