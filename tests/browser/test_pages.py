"""The pages as a person meets them: in Chromium, wide and narrow, light and dark, by keyboard, without JavaScript."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tasks.choices import Status, Verb
from tasks.models import Task
from tests.browser.conftest import Open
from tests.factories import make_artifact, make_dependency, make_event, make_plan, make_project, make_task

PHONE = {"viewport": {"width": 390, "height": 844}}
EVIL = "<script>document.title = 'taken'</script><img src=x onerror=alert(1)>\u202e" + "w" * 150


@pytest.fixture
def addresses(transactional_db: None) -> dict[str, str]:
    """The address of every kind of page, on a board with all states and with names that try to break out."""
    project = make_project("ledger", name=EVIL, root_path="/home/ada/" + "deep/" * 60)
    plan = make_plan(project, 16, statuses=Status.values, title=EVIL, description=EVIL * 20)
    group = make_task(project, parent=plan, title="A group", position=20)
    leaf = make_task(project, parent=group, title="The work", description=EVIL, status=Status.ACTIVE)
    make_dependency(leaf, Task.objects.filter(parent=plan).order_by("id")[0], inherited_from=group)
    make_event(leaf, Verb.CLAIM, actor_name=EVIL, before={"status": "pending"}, after={"status": "active"})
    artifact = make_artifact(leaf, "x" * 5000, "# Report\n" + EVIL, paths=["src/" + "deep/" * 60 + "a.md", EVIL[:200]])
    return {
        "projects": "/",
        "project": "/projects/ledger/",
        "tasks": "/projects/ledger/tasks/",
        "plan": f"/tasks/{plan.public_id}/",
        "work": f"/tasks/{leaf.public_id}/",
        "artifact": f"/artifacts/{artifact.public_id}/",
    }


def test_every_page_opens_without_a_complaint_of_the_browser(open_page: Open, addresses: dict[str, str]) -> None:
    for address in addresses.values():
        page = open_page(address)
        expect(page.locator("h1")).to_be_visible()
        assert page.title() != "taken"
        assert page.title().endswith("Task Orchestrator")


def test_nothing_scrolls_sideways_on_a_phone(open_page: Open, addresses: dict[str, str]) -> None:
    for name, address in addresses.items():
        page = open_page(address, **PHONE)
        wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wider <= 0, name


def test_pages_are_dark_where_the_system_is(open_page: Open, addresses: dict[str, str]) -> None:
    colours = {}
    for scheme in ("light", "dark"):
        page = open_page("/", color_scheme=scheme)
        colours[scheme] = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert colours == {"light": "rgb(246, 247, 248)", "dark": "rgb(18, 21, 25)"}


def test_the_first_tab_stop_skips_to_the_content(open_page: Open, addresses: dict[str, str]) -> None:
    page = open_page(addresses["project"])
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_a_person_finds_the_way_from_the_projects_to_the_text_without_javascript(
    open_page: Open, addresses: dict[str, str]
) -> None:
    page = open_page("/", java_script_enabled=False)
    page.locator("td.main a").click()
    page.get_by_role("searchbox").fill("no such plan")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_text("No plan matches.")).to_be_visible()
    page.get_by_role("link", name="Look for").click()
    page.get_by_role("link", name="Clear", exact=True).click()
    page.get_by_role("link", name="The work").click()
    page.get_by_text("Working brief").click()
    expect(page.locator("details pre")).to_be_visible()
    page.locator(f"a[href='{addresses['artifact']}']").click()
    page.get_by_role("link", name="Plain").click()
    expect(page.locator("pre")).to_contain_text("# Report")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "a.md"


def test_signing_out_takes_one_click(open_page: Open, addresses: dict[str, str]) -> None:
    page = open_page("/")
    page.get_by_role("button", name="Sign out").click()
    page.goto(page.url.replace("/sign-in/", "/"))
    assert "/sign-in/" in page.url


@pytest.mark.parametrize("address", ["", "tasks/task/", "tasks/event/", "artifacts/artifact/", "tasks/specialist/add/"])
def test_the_admin_works_under_the_same_strict_policy(open_page: Open, addresses: dict[str, str], address: str) -> None:
    page = open_page(f"/admin/{address}")
    expect(page.get_by_text("Task Orchestrator administration")).to_be_visible()


def test_the_raw_id_window_of_the_admin_opens_and_picks(open_page: Open, addresses: dict[str, str]) -> None:
    page = open_page("/admin/tasks/specialist/add/")
    with page.expect_popup() as popup:
        page.locator("#lookup_id_project").click()
    popup.value.locator("#result_list tbody th a").first.click()
    expect(page.locator("#id_project")).not_to_have_value("")
