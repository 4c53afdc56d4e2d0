"""Reviewing in Chromium: the whole way of a work there and back, by keyboard alone, and without JavaScript."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from artifacts.models import ReviewComment
from artifacts.selectors.artifacts import version_of
from artifacts.services.comment import comment
from tasks.choices import Status, Verb
from tasks.identity.actor import Actor
from tasks.models import Task
from tests.assistants import Assistant, subtask
from tests.browser.axe import violations
from tests.browser.conftest import Open
from tests.factories import make_artifact, make_event, make_project, make_task

PHONE = {"viewport": {"width": 390, "height": 844}}
EVIL = "<script>document.title = 'taken'</script><img src=x onerror=alert(1)>\u202e" + "w" * 150
OVERALL, REQUEST = "#verdict textarea[name=words]", "#verdict button[value=request_revision]"
UNSTICK = "document.querySelector('.verdict')?.style.setProperty('position', 'static')"
"""What the verdict covers can be scrolled away from it; a link that is half below it counts as too small."""
FIRST = "".join(f"step_{number} = {number}\n" for number in range(1, 31))
SECOND = FIRST.replace("step_7 = 7", "step_7 = seven()").replace("step_25 = 25", "step_25 = last()")


@pytest.fixture
def tasks(ada: Assistant) -> list[Task]:
    """Two tasks in review, each delivered by an assistant, the older first."""
    steps = [subtask(title, review=True) for title in ("Count the steps", "Name the steps")]
    made = ada.call("plan_task", description="A job", subtasks=steps)
    found = [Task.objects.get(public_id=row["task_id"]) for row in made["subtasks"]]
    for task in found:
        ada.complete(task.public_id, detailed_work=FIRST, file_paths=[f"src/{task.pk}.py"], artifact_type="code")
    return found


def _status(task: Task) -> str:
    return Task.objects.get(pk=task.pk).status


def _focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.dataset.line || document.activeElement.textContent.trim()"))


def test_a_work_goes_back_with_comments_and_comes_again(open_page: Open, ada: Assistant, tasks: list[Task]) -> None:
    task = tasks[0]
    page = open_page("/reviews/")
    page.get_by_role("link", name="Count the steps").click()
    page.locator("a[data-line='7']").click()
    page.locator("tr.said textarea[name=text]").fill("Seven is a magic number.")
    page.locator("tr.said form button.action").click()
    expect(page.locator("article.draft")).to_contain_text("Seven is a magic number.")
    page.locator(OVERALL).fill("Name your numbers.")
    page.locator(REQUEST).click()
    expect(page.locator("#messages [data-code=request_revision]")).to_be_visible()
    page.locator("#not-in-review a[rel=next]").click()
    expect(page).to_have_title(re.compile("Name the steps"))

    brief = ada.call("execute_subtask", task_id=task.public_id)["brief"]
    first = brief.partition("## Task")[0]
    assert "Name your numbers." in first and "line 7: `step_7 = 7`\n>   Seven is a magic number." in first
    path = task.artifacts.get(paths__path__startswith="src/").paths.get().path
    ada.complete(task.public_id, detailed_work=SECOND, file_paths=[path], artifact_type="code")

    page.goto(page.url.replace(tasks[1].public_id, task.public_id))
    expect(page.locator("[data-added='2'][data-removed='2'][data-from='1'][data-to='2']")).to_be_visible()
    expect(page.locator("ins").first).to_have_text("step_7 = seven()")
    said = page.locator("tr.said article")
    expect(said).to_contain_text("Seven is a magic number.")
    expect(said.locator("header")).to_contain_text(re.compile("line 7.*version 1"))
    expect(page.locator(".talk")).to_contain_text("Name your numbers.")
    page.locator("#verdict button[value=approve]").click()
    expect(page.locator("#messages [data-code=approve]")).to_be_visible()
    expect(page).to_have_title(re.compile("Count the steps"))
    assert _status(task) == Status.COMPLETED


def test_two_reviews_are_done_by_keyboard_alone(open_page: Open, tasks: list[Task]) -> None:
    page = open_page("/reviews/")
    for key, title in (("j", "Count the steps"), ("j", "Name the steps"), ("k", "Count the steps")):
        page.keyboard.press(key)
        expect(page.get_by_role("link", name=title)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_title(re.compile("Count the steps"))
    page.keyboard.press("j")
    expect(page).to_have_title(re.compile("Name the steps"))
    page.keyboard.press("k")
    expect(page).to_have_title(re.compile("Count the steps"))
    page.keyboard.press("n")
    page.keyboard.press("ArrowDown")
    assert _focused(page) == "2"
    page.keyboard.press("c")
    page.keyboard.type("a, j and n are only letters here")
    page.keyboard.press("Control+Enter")
    expect(page.locator("article.draft")).to_contain_text("only letters")
    page.keyboard.press("r")
    page.keyboard.type("Fix")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#messages [data-code=request_revision]")).to_be_visible()
    page.keyboard.press("j")
    expect(page).to_have_title(re.compile("Name the steps"))
    page.keyboard.press("a")
    page.keyboard.press("a")
    expect(page.locator("#verdict button[value=approve]")).to_be_focused()
    assert _status(tasks[1]) == Status.IN_REVIEW
    page.keyboard.press("Enter")
    expect(page.locator("#messages [data-code=approve]")).to_be_visible()
    assert [_status(task) for task in tasks] == [Status.NEEDS_REVISION, Status.COMPLETED]
    assert ReviewComment.objects.get().line == 2


def test_keys_go_from_change_to_change(open_page: Open, tasks: list[Task]) -> None:
    make_artifact(tasks[0], FIRST, SECOND, paths=["a.py"])
    page = open_page(f"/tasks/{tasks[0].public_id}/review/")
    places = []
    for key in "nnnpp":
        page.keyboard.press(key)
        places.append(_focused(page))
    assert places == ["7", "25", "1", "25", "7"]
    page.keyboard.press("?")
    for key in ("n", "a", "j", "c", "↑ ↓"):
        expect(page.locator("#keys").get_by_text(key, exact=True)).to_be_visible()


def test_the_list_of_keys_begins_at_its_button_and_not_at_its_switch(open_page: Open, tasks: list[Task]) -> None:
    page = open_page(f"/tasks/{tasks[0].public_id}/review/")
    page.keyboard.press("?")
    expect(page.locator("#keys button")).to_be_focused()
    page.keyboard.press("Space")
    expect(page.locator("#keys")).to_be_hidden()
    assert page.evaluate("localStorage.getItem('keys-off')") is None


def test_a_comment_without_a_focused_line_is_on_the_file(open_page: Open, tasks: list[Task]) -> None:
    page = open_page(f"/tasks/{tasks[0].public_id}/review/")
    page.keyboard.press("c")
    expect(page.locator(".say textarea").first).to_be_focused()
    page.keyboard.type("On all of it")
    page.keyboard.press("Control+Enter")
    expect(page.locator("article.draft")).to_contain_text("On all of it")
    assert ReviewComment.objects.get().line is None


def test_hidden_lines_open_in_place_and_take_comments(open_page: Open, tasks: list[Task]) -> None:
    work = make_artifact(tasks[0], FIRST, SECOND, paths=["a.py"])
    page = open_page(f"/tasks/{tasks[0].public_id}/review/")
    file = page.locator(f"#work-{work.public_id}")
    expect(file.locator("a[data-line='15']")).to_have_count(0)
    address = page.url
    file.get_by_role("link", name="11 unchanged lines").click()
    expect(file.locator("a[data-line='15']")).to_be_visible()
    expect(file.locator("[data-hidden]")).to_have_count(2)
    assert page.url == address
    file.locator("a[data-line='15']").click()
    expect(file.locator("tr.said textarea[name=text]")).to_be_focused()


def test_hidden_lines_open_without_javascript(open_page: Open, tasks: list[Task]) -> None:
    work = make_artifact(tasks[0], FIRST, SECOND, paths=["a.py"])
    page = open_page(f"/tasks/{tasks[0].public_id}/review/?layout=split", java_script_enabled=False)
    file = page.locator(f"#work-{work.public_id}")
    file.get_by_role("link", name="11 unchanged lines").click()
    expect(file.locator("a[data-line='11']")).to_be_in_viewport()
    expect(page.get_by_role("link", name="Split")).to_have_attribute("aria-current", "true")


def test_the_decision_is_at_the_bottom_of_the_window_however_short_the_page_is(open_page: Open, ada: Assistant) -> None:
    (row,) = ada.call("plan_task", description="A job", subtasks=[subtask("Say it", review=True)])["subtasks"]
    ada.complete(row["task_id"], detailed_work="Done.", file_paths=["a.md"])
    for window in ({"width": 1440, "height": 1400}, {"width": 390, "height": 844}):
        page = open_page(f"/tasks/{row['task_id']}/review/", viewport=window)
        box = page.locator("#verdict").bounding_box()
        assert box and (box["x"], box["y"] + box["height"], box["width"]) == (0, window["height"], window["width"])


def test_the_name_of_a_file_stays_below_the_header(open_page: Open, tasks: list[Task]) -> None:
    page = open_page(f"/tasks/{tasks[0].public_id}/review/", viewport={"width": 1280, "height": 500})
    page.locator("a[data-line='25']").scroll_into_view_if_needed()
    header, file = page.locator("header.top").bounding_box(), page.locator(".reviewed > header").bounding_box()
    assert header and file and file["y"] == header["y"] + header["height"]


def test_on_a_phone_requesting_changes_asks_for_them_first(open_page: Open, tasks: list[Task]) -> None:
    page = open_page(f"/tasks/{tasks[0].public_id}/review/", **PHONE)
    expect(page.locator("nav.bottom")).to_be_hidden()
    expect(page.locator(OVERALL)).to_be_hidden()
    page.locator(REQUEST).click()
    expect(page.locator(OVERALL)).to_be_focused()
    page.keyboard.type("Fix")
    page.locator(REQUEST).click()
    expect(page.locator("#messages [data-code=request_revision]")).to_be_visible()
    page = open_page(f"/tasks/{tasks[1].public_id}/review/", java_script_enabled=False, **PHONE)
    expect(page.locator(OVERALL)).to_be_visible()


def test_on_a_phone_the_description_is_folded(open_page: Open, tasks: list[Task]) -> None:
    page = open_page(f"/tasks/{tasks[0].public_id}/review/", **PHONE)
    expect(page.locator("#asked .body")).to_be_hidden()
    page.locator("#asked summary").click()
    expect(page.locator("#asked .body")).to_be_visible()
    page = open_page(f"/tasks/{tasks[0].public_id}/review/", java_script_enabled=False, **PHONE)
    expect(page.locator("#asked .body")).to_be_visible()


def test_shift_and_a_click_make_a_range_and_escape_leaves_it(open_page: Open, tasks: list[Task]) -> None:
    page = open_page(f"/tasks/{tasks[0].public_id}/review/")
    page.locator("a[data-line='9']").click()
    page.locator("a[data-line='4']").click(modifiers=["Shift"])
    for name, line in (("line", "4"), ("to", "9")):
        expect(page.locator(f"tr.said input[name={name}]")).to_have_value(line)
    expect(page.locator("tr.chosen")).to_have_count(6)
    page.keyboard.press("Escape")
    expect(page.locator("tr.chosen, tr.here")).to_have_count(0)
    expect(page.locator("a[data-line='9']")).to_be_focused()


def test_the_overall_comment_is_kept_while_commenting_on_lines(open_page: Open, tasks: list[Task]) -> None:
    page = open_page(f"/tasks/{tasks[0].public_id}/review/")
    page.locator(OVERALL).fill("Half a thought")
    page.locator("a[data-line='3']").click()
    page.keyboard.type("Hm")
    page.keyboard.press("Control+Enter")
    expect(page.locator("article.draft")).to_be_visible()
    expect(page.locator(OVERALL)).to_have_value("Half a thought")


def test_a_review_is_done_without_javascript(open_page: Open, tasks: list[Task]) -> None:
    page = open_page("/reviews/", java_script_enabled=False)
    page.get_by_role("link", name="Count the steps").click()
    page.locator("a[data-line='7']").click()
    form = page.locator("tr.said form")
    expect(form.locator("input[name=line]")).to_have_value("7")
    form.locator("input[name=to]").fill("8")
    form.locator("textarea[name=text]").fill("Both of them")
    form.locator("button.action").click()
    expect(page.locator("article.draft header")).to_contain_text("7-8")
    page.locator(REQUEST).click()
    assert _status(tasks[0]) == Status.NEEDS_REVISION


@pytest.fixture
def hostile(transactional_db: None) -> list[str]:
    """The addresses of reviews whose every text tries to break out."""
    project = make_project("ledger", name=EVIL)
    task = make_task(project, title=EVIL, status=Status.IN_REVIEW, description=EVIL * 20, summary=EVIL * 20)
    make_event(task, Verb.COMPLETE, actor_name=EVIL[:200])
    work = make_artifact(task, f"a\n{EVIL * 9}\n", f"b\n{EVIL * 9} c\n", paths=["src/" + "deep/" * 60 + "a.md"])
    comment(task=task, actor=Actor.system(EVIL), text=EVIL * 9, version=version_of(work), line=2)
    make_event(task, Verb.REQUEST_REVISION, actor_name=EVIL[:200], after={"comment": EVIL * 9})
    make_event(task, Verb.COMPLETE)
    make_task(project, title=EVIL, status=Status.FAILED, reason=EVIL * 9)
    address = f"/tasks/{task.public_id}/review/"
    return ["/reviews/", address, *(f"{address}?{query}" for query in ("layout=split", "show=source", "show=rendered"))]


def test_hostile_text_breaks_nothing_on_any_screen(open_page: Open, hostile: list[str]) -> None:
    for address in hostile:
        for width in (390, 2560):
            page = open_page(address, viewport={"width": width, "height": 844})
            assert page.title() != "taken"
            wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wider <= 0, (address, width)


def test_reviews_break_no_rule(open_page: Open, tasks: list[Task]) -> None:
    task = tasks[0]
    work = make_artifact(task, FIRST, SECOND, paths=["a.py"])
    comment(task=task, actor=Actor.system("root"), text="Hm", version=version_of(work), line=7)
    make_artifact(task, "# Words\n", paths=["a.md"])
    address = f"/tasks/{task.public_id}/review/"
    queries = ("", "?layout=split", "?show=source", "?show=rendered", f"?on={work.public_id}&line=7")
    page = open_page("/reviews/")
    for place in ("/reviews/", *(address + query for query in queries)):
        page.goto(place)
        page.evaluate(UNSTICK)
        for width in (390, 1280):
            page.set_viewport_size({"width": width, "height": 844})
            assert violations(page) == [], (place, width)
