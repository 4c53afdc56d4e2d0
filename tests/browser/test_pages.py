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

REPORT = f"# Report\n\n{EVIL} [a](javascript:alert(1)) ![b](https://x.invalid/b.png)\n\n"
REPORT += f"```py\n{'wide ' * 60}\n```\n\n|{'a|' * 40}\n|{'-|' * 40}\n|{'cell |' * 40}\n"

CONTRASTS = """() => {
    const light = (colour) => {
        const part = colour.match(/\\d+/g).slice(0, 3).map((x) => x / 255)
            .map((x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4));
        return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2];
    };
    const source = document.querySelector(".source");
    const behind = light(getComputedStyle(source.closest('.box')).backgroundColor);
    return ["c1", "k", "nf", "nc", "s", "mi", "gd"].filter((name) => {
        const span = document.createElement("span");
        span.className = name;
        source.append(span);
        const front = light(getComputedStyle(span).color);
        return (Math.max(front, behind) + 0.05) / (Math.min(front, behind) + 0.05) < 4.5;
    });
}"""
"""The kinds of code whose colour stands out too little from what is behind it."""


@pytest.fixture
def addresses(transactional_db: None) -> dict[str, str]:
    """The address of every kind of page, on a board with all states and with names that try to break out."""
    project = make_project("ledger", name=EVIL, root_path="/home/ada/" + "deep/" * 60)
    plan = make_plan(project, 16, statuses=Status.values, title=EVIL, description=EVIL * 20)
    group = make_task(project, parent=plan, title="A group", position=20)
    leaf = make_task(project, parent=group, title="The work", description=EVIL, status=Status.ACTIVE)
    make_dependency(leaf, Task.objects.filter(parent=plan).order_by("id")[0], inherited_from=group)
    make_event(leaf, Verb.CLAIM, actor_name=EVIL, before={"status": "pending"}, after={"status": "active"})
    artifact = make_artifact(leaf, "x" * 5000, REPORT, paths=["src/" + "deep/" * 60 + "a.md", EVIL[:200]])
    long = make_artifact(leaf, f"{'word ' * 20}\n" * 11_000, paths=["long.txt"])
    return {
        "projects": "/",
        "project": "/projects/ledger/",
        "tasks": "/projects/ledger/tasks/",
        "plan": f"/tasks/{plan.public_id}/",
        "work": f"/tasks/{leaf.public_id}/",
        "artifact": f"/artifacts/{artifact.public_id}/",
        "source": f"/artifacts/{artifact.public_id}/?view=source",
        "plain": f"/artifacts/{artifact.public_id}/?view=plain",
        "difference": f"/artifacts/{artifact.public_id}/diff/",
        "side by side": f"/artifacts/{artifact.public_id}/diff/?layout=split",
        "long": f"/artifacts/{long.public_id}/",
        "search": "/search/?q=work",
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
    assert colours == {"light": "rgb(247, 248, 250)", "dark": "rgb(13, 16, 20)"}


def test_the_first_tab_stop_skips_to_the_content(open_page: Open, addresses: dict[str, str]) -> None:
    page = open_page(addresses["project"])
    page.keyboard.press("Tab")
    expect(page.locator("a.skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


def test_a_person_finds_the_way_from_the_projects_to_the_text_without_javascript(
    open_page: Open, addresses: dict[str, str]
) -> None:
    page = open_page("/", java_script_enabled=False)
    page.locator("td.main a").click()
    page.locator(".tools [type=search]").fill("no such plan")
    page.keyboard.press("Enter")
    page.locator(".empty a").first.click()
    page.locator(".empty a").click()
    page.get_by_role("link", name="The work", exact=True).click()
    page.locator("#brief-card > summary").click()
    expect(page.locator("details pre")).to_be_visible()
    page.locator(f"a[href='{addresses['artifact']}']").click()
    page.locator(".segment a[href*='view=plain']").click()
    expect(page.locator("pre")).to_contain_text("# Report")
    with page.expect_download() as download:
        page.locator("a[href*='/raw/']").click()
    assert download.value.suggested_filename == "a.md"


def test_a_line_of_code_can_be_pointed_at_without_javascript(open_page: Open, addresses: dict[str, str]) -> None:
    page = open_page(addresses["source"] + "#L5", java_script_enabled=False)
    pointed, other = (page.locator(line) for line in ("#L5", "#L4"))
    expect(pointed).not_to_have_css("background-color", "rgba(0, 0, 0, 0)")
    expect(other).to_have_css("background-color", "rgba(0, 0, 0, 0)")
    other.locator("a").first.click()
    expect(other).not_to_have_css("background-color", "rgba(0, 0, 0, 0)")


def test_colours_of_code_can_be_read_in_light_and_dark(open_page: Open, addresses: dict[str, str]) -> None:
    for scheme in ("light", "dark"):
        page = open_page(addresses["source"], color_scheme=scheme)
        poor = page.evaluate(CONTRASTS)
        assert poor == [], (scheme, poor)


@pytest.mark.parametrize("scripts", [True, False])
def test_sign_out_is_in_the_user_menu(open_page: Open, addresses: dict[str, str], scripts: bool) -> None:
    page = open_page("/", java_script_enabled=scripts)
    if scripts:
        expect(page.locator("#live")).not_to_have_attribute("data-state", "off")
    # The sign-out ends the stream, and the page may ask for it again before the next page comes, in vain.
    page.route("**/api/v1/events*", lambda route: route.fulfill(content_type="text/event-stream", body=""))
    page.locator("[data-user-menu]").click()
    page.locator("[data-sign-out] button").click()
    page.wait_for_url("**/sign-in/**")
    page.goto(page.url.replace("/sign-in/", "/"))
    assert "/sign-in/" in page.url


@pytest.mark.parametrize("address", ["", "tasks/task/", "tasks/event/", "artifacts/artifact/", "tasks/specialist/add/"])
def test_the_admin_works_under_the_same_strict_policy(open_page: Open, addresses: dict[str, str], address: str) -> None:
    page = open_page(f"/admin/{address}")
    expect(page.locator(".brand")).to_be_visible()


def test_the_raw_id_window_of_the_admin_opens_and_picks(open_page: Open, addresses: dict[str, str]) -> None:
    page = open_page("/admin/tasks/specialist/add/")
    with page.expect_popup() as popup:
        page.locator("#lookup_id_project").click()
    # The click closes the window it is made in, before Playwright could say that it was made.
    popup.value.locator("#result_list tbody th a").first.evaluate("link => void setTimeout(() => link.click())")
    expect(page.locator("#id_project")).not_to_have_value("")
