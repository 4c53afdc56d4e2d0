"""The page of a work as a person reads it: parts that come as they are scrolled to, lines, copying, and the folder."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Page, expect

from artifacts.models import Artifact
from tasks.models import Task
from tests.browser.conftest import Open
from tests.factories import make_artifact, make_project, make_task

CODE = "".join(f"def f{number}():\n    return '{number}'\n\n\n" for number in range(5_000))
LINES = CODE.count("\n")
EVIL = "<script>document.title = 'taken'</script><img src=x onerror=alert(1)>\u202e\x00 😀 "
PHONE = {"viewport": {"width": 390, "height": 844}}
HEIGHT = "document.querySelector('#source').scrollHeight"
PARTS_AT_FIRST = 4
"""The most parts that are loaded before anyone scrolls."""


@pytest.fixture
def task(transactional_db: None) -> Task:
    return make_task(make_project("shop", name="Shop"), title="Build it")


@pytest.fixture
def work(task: Task) -> Artifact:
    return make_artifact(task, CODE, paths=["src/app/main.py"], kind="code")


def _opened(open_page: Open, work: Artifact, query: str = "", **window: object) -> Page:
    return open_page(f"/artifacts/{work.public_id}/{query}", **window)


def _read_to_the_end(page: Page) -> None:
    """Scroll until every part has come."""
    ends = time.monotonic() + 60
    while page.locator(".unread").count() and time.monotonic() < ends:
        page.evaluate("document.querySelector('.unread')?.scrollIntoView()")  # it may have been read just now
        page.wait_for_timeout(50)


def test_all_of_a_long_work_is_on_its_page_and_nothing_jumps(open_page: Open, work: Artifact) -> None:
    page = _opened(open_page, work)
    expect(page.locator("#L1")).to_be_visible()
    before = page.evaluate(HEIGHT)
    _read_to_the_end(page)
    expect(page.locator(".part > span[id]")).to_have_count(LINES)
    assert abs(page.evaluate(HEIGHT) - before) <= 2
    assert page.evaluate("document.querySelector('#source').innerText.includes(\"return '4999'\")")


def test_a_long_artifact_scrolls_with_the_page_and_loads_as_it_is_scrolled_to(open_page: Open, work: Artifact) -> None:
    page = _opened(open_page, work)
    page.wait_for_load_state("networkidle")
    assert page.locator(".part:not(.unread)").count() <= PARTS_AT_FIRST < page.locator(".part").count()
    page.locator("body").press("End")
    expect(page.locator(f"#L{LINES}")).to_be_in_viewport()
    assert page.evaluate("scrollY") > page.evaluate("innerHeight") * 10


def test_find_goes_to_the_hit(open_page: Open, work: Artifact) -> None:
    page = _opened(open_page, work)
    page.locator("input[name=find]").fill("return '4321'")
    page.keyboard.press("Enter")
    expect(page.locator(".here")).to_contain_text("4321")
    expect(page.locator(".here")).to_be_in_viewport()
    expect(page.locator(".hits a")).to_be_in_viewport()


def test_a_line_far_down_is_shown_by_its_address_alone(open_page: Open, work: Artifact) -> None:
    page = _opened(open_page, work, "#L15001-L15003")
    line = page.locator("#L15001")
    expect(line).to_be_in_viewport()
    expect(line).to_contain_text("f3750")
    expect(page.locator(".here")).to_have_count(3)


def test_lines_are_pointed_at_by_clicks_and_stretches_with_shift(open_page: Open, work: Artifact) -> None:
    page = _opened(open_page, work)
    page.locator("#L9 a").first.click()
    expect(page).to_have_url(re.compile("#L9$"))
    page.locator("#L5 a").first.click(modifiers=["Shift"])
    expect(page).to_have_url(re.compile("#L5-L9$"))
    expect(page.locator(".here")).to_have_count(5)


def test_a_line_is_gone_to_by_its_number_without_a_script(open_page: Open, work: Artifact) -> None:
    page = _opened(open_page, work, java_script_enabled=False)
    page.locator("input[name=go]").fill("12001-12003")
    page.locator("form:has(input[name=go]) button").click()
    expect(page.locator("#L12001")).to_be_in_viewport()
    expect(page.locator(".here")).to_have_count(3)
    page.locator("a[rel=next]").click()
    expect(page.locator(".part > span[id]").nth(500)).to_be_attached()


def test_find_leads_to_lines_without_javascript(open_page: Open, work: Artifact) -> None:
    page = _opened(open_page, work, java_script_enabled=False)
    page.locator("input[name=find]").fill("return '4321'")
    page.locator("form:has(input[name=find]) button").click()
    expect(page.locator("#found [data-total]")).to_have_attribute("data-total", "1")
    expect(page.locator(".here")).to_be_in_viewport()
    page.locator(".hits a").click()
    expect(page.locator(".here")).to_contain_text("4321")
    expect(page.locator(".here")).to_be_in_viewport()


def test_the_exact_text_is_copied(open_page: Open, task: Task) -> None:
    text = "\ufeffé\r\n\ttab  \nend"
    page = _opened(
        open_page, make_artifact(task, text, paths=["a.py"]), permissions=["clipboard-read", "clipboard-write"]
    )
    page.locator("[data-copy-work]").click()
    page.locator("[data-copy-work][data-copied]").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == text


@pytest.mark.parametrize("text", ["var a=[1,'b'];" * 20_000, "\n" * 300_000], ids=["one line", "no text in lines"])
def test_an_endless_line_and_endless_many_lines_can_be_read(open_page: Open, task: Task, text: str) -> None:
    page = _opened(open_page, make_artifact(task, text, paths=["min.js"]), **PHONE)
    expect(page.locator(".part > span").first).to_be_attached()
    _read_to_the_end(page)
    shown = page.evaluate("[...document.querySelectorAll('.part')].map((part) => part.textContent.length)")
    assert sum(shown) >= len(text)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.mark.parametrize("window", [PHONE, {"color_scheme": "dark"}], ids=["phone", "dark"])
@pytest.mark.parametrize("view", ["", "?view=source", "?view=plain", "?find=script"])
def test_hostile_work_is_text_in_every_view(open_page: Open, task: Task, window: dict[str, str], view: str) -> None:
    text = f"# {EVIL}\n\n[a](javascript:alert(1)) {EVIL}\n{'w' * 100_000}\n"
    work = make_artifact(task, text, paths=["docs/" + EVIL.replace("\x00", "").replace("/", "") + ".md"])
    page = _opened(open_page, work, view, **window)
    expect(page.locator("h1")).to_be_visible()
    assert page.title() != "taken"  # which the script would have set
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_beside_a_work_its_neighbours_are_one_click_away(open_page: Open, work: Artifact) -> None:
    other = make_artifact(work.task, "x", paths=["src/app/other.py"])
    page = _opened(open_page, work)
    files = page.locator("#beside nav")
    expect(files.locator("[aria-current]")).to_have_text("main.py")
    files.get_by_role("link", name="other.py").click()
    page.wait_for_url(f"**/artifacts/{other.public_id}/")
    page.locator("#beside summary").click()
    expect(page.get_by_role("link", name="main.py")).to_be_hidden()


def test_a_new_version_is_announced_and_the_text_stays(open_page: Open, work: Artifact) -> None:
    page = _opened(open_page, work)
    page.locator("#L9 a").first.click()
    page.locator("#L9").evaluate("line => { line.dataset.kept = 'yes'; }")
    newest = make_artifact(work.task, "new\n")
    newest.versions.update(artifact=work, number=2)
    Artifact.objects.filter(pk=work.pk).update(version=2)
    page.evaluate("document.querySelector('#live').dispatchEvent(new CustomEvent('changed', {bubbles: true}))")
    expect(page.locator("#newer a").first).to_be_visible()
    assert page.locator("#L9").get_attribute("data-kept") == "yes"
    assert "version=1" in page.url and page.url.endswith("#L9")


def test_lines_of_a_difference_lead_to_the_version_they_are_of(open_page: Open, task: Task) -> None:
    work = make_artifact(task, "one\n" * 30, "one\n" * 20 + "two\n" + "one\n" * 9, paths=["a.py"])
    page = _opened(open_page, work, "diff/")
    page.locator("tr.came td.n a").click()
    expect(page.locator("#L21")).to_contain_text("two")
    expect(page).to_have_url(re.compile("version=2"))
