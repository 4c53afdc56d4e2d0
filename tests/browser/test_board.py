"""The board as a person works with it: by mouse, keyboard and touch, wide and narrow, against someone else."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tasks.choices import Status
from tasks.identity.actor import Actor
from tasks.models import Project, Task
from tasks.services.claim import claim
from tests.browser.conftest import Open
from tests.factories import make_dependency, make_plan, make_project, make_task

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
ADDRESS = "/projects/ledger/board/"


@pytest.fixture
def project(transactional_db: None) -> Project:
    """A board with cards in all states, two of them ready to be taken."""
    project = make_project("ledger")
    plan = make_plan(project, 16, statuses=Status.values, title="Count it all")
    for title in ("Wanted", "Other"):
        make_task(project, parent=plan, title=title, is_ready=True)
    last = make_task(project, parent=plan, title="Last")
    make_dependency(last, Task.objects.get(title="Wanted"))
    return project


def _card(page: Page, title: str) -> str:
    return f"#task-{Task.objects.get(title=title).public_id}"


def _focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.closest('.task')?.querySelector('h3').textContent ?? ''"))


def _column(page: Page, status: str) -> list[str]:
    return page.locator(f"#cards-{status} h3").all_text_contents()


def test_a_card_is_moved_by_mouse_from_its_menu(open_page: Open, project: Project) -> None:
    page = open_page(ADDRESS)
    page.locator(_card(page, "Wanted")).locator(".act-on").click()
    page.locator("#dialog [data-verb=claim]").click()
    expect(page.locator("#cards-active").locator(_card(page, "Wanted"))).to_be_visible()
    expect(page.locator("#cards-pending").locator(_card(page, "Wanted"))).to_have_count(0)
    assert page.url.endswith(ADDRESS)


@pytest.mark.parametrize("way", ["button", "backdrop"])
def test_the_menu_of_a_card_closes_by_touch_and_nothing_happens(open_page: Open, project: Project, way: str) -> None:
    page = open_page(ADDRESS, **PHONE)
    page.locator(_card(page, "Wanted")).locator(".act-on").tap()
    dialog = page.locator("#dialog")
    expect(dialog.locator("[data-verb=claim]")).to_be_visible()
    if way == "button":
        dialog.locator(".close").tap()
    else:
        page.touchscreen.tap(5, 5)
    expect(dialog).to_be_hidden()
    assert Task.objects.get(title="Wanted").status == Status.PENDING


def test_a_card_is_moved_by_keys_alone(open_page: Open, project: Project) -> None:
    page = open_page(ADDRESS)
    page.keyboard.press("j")
    assert _focused(page) == "Wanted"
    page.keyboard.press("m")
    dialog = page.locator("#dialog")
    expect(
        dialog.locator("#dialog-body :is(button, a):not(header *)").first
    ).to_be_focused()  # not the title, which leads away
    dialog.locator("[data-verb=claim]").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#cards-active").locator(_card(page, "Wanted"))).to_be_visible()
    page.keyboard.press("j")
    assert _focused(page) == "Wanted"


def test_keys_go_from_card_to_card_and_from_column_to_column(open_page: Open, project: Project) -> None:
    page = open_page(ADDRESS)
    places = []
    for key in ("j", "j", "k", "ArrowDown", "l", "ArrowRight", "h", "ArrowLeft", "ArrowUp"):
        page.keyboard.press(key)
        column = page.evaluate("document.activeElement.closest('.column').id")
        places.append((column, page.evaluate(PLACE)))
    pending, active, review = "column-pending", "column-active", "column-in_review"
    assert places == [
        (pending, 0), (pending, 1), (pending, 0), (pending, 1), (active, 1), (review, 1), (active, 1), (pending, 1),
        (pending, 0),
    ]  # fmt: skip


PLACE = "[...document.activeElement.closest('.cards').children].indexOf(document.activeElement.closest('.task'))"


def test_enter_opens_the_card(open_page: Open, project: Project) -> None:
    page = open_page(ADDRESS)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Wanted")


def test_shortcuts_are_inactive_while_typing_or_disabled(open_page: Open, project: Project) -> None:
    page = open_page(ADDRESS)
    search = page.locator(".tools [name=q][type=search]")
    search.focus()
    page.keyboard.type("jlm")
    assert search.input_value() == "jlm"
    page.evaluate("localStorage.setItem('keys-off', '1')")
    page.reload()
    page.keyboard.press("j")
    assert _focused(page) == ""


def test_the_keys_of_the_board_are_listed(open_page: Open, project: Project) -> None:
    page = open_page(ADDRESS)
    page.keyboard.press("?")
    expect(page.locator("#keys kbd")).to_have_text(["/", "j", "k", "l", "h", "m"])


def test_a_conflict_is_shown_on_the_board(open_page: Open, project: Project) -> None:
    page = open_page(ADDRESS)
    page.locator(_card(page, "Wanted")).locator(".act-on").click()
    take = page.locator("#dialog [data-verb=claim]")
    expect(take).to_be_visible()
    claim(task=Task.objects.get(title="Wanted"), actor=Actor.system())
    take.click()
    expect(page.locator("[data-code=conflict]")).to_be_visible()


def test_more_cards_come_in_place_and_stay(open_page: Open, project: Project) -> None:
    make_plan(project, 90, statuses=[Status.COMPLETED])
    page = open_page(ADDRESS)
    page.locator("a.folded.completed").click()
    assert len(_column(page, "completed")) == 20
    page.locator("#more-completed").click()
    expect(page.locator("#cards-completed > li")).to_have_count(60)
    assert page.url.endswith("?open=completed&completed=60")
    assert page.evaluate(PLACE) == 20  # the first new card has the focus


def test_without_javascript_more_cards_are_a_page_and_a_menu_is_one(open_page: Open, project: Project) -> None:
    make_plan(project, 30, statuses=[Status.COMPLETED])
    page = open_page(f"{ADDRESS}?open=completed", java_script_enabled=False)
    page.locator("#more-completed").click()
    expect(page.locator("#cards-completed h3")).to_have_count(32)
    page.goto(f"{ADDRESS}?open=completed&completed=60")  # at its top again
    page.locator(_card(page, "Wanted")).locator(".act-on").click()
    page.locator("[data-verb=claim]").click()
    expect(page.locator("#cards-active").locator(_card(page, "Wanted"))).to_be_visible()
    assert page.url.endswith(ADDRESS + "?open=completed&completed=60")


SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.mark.parametrize("scripts", [True, False])
def test_on_a_phone_chips_choose_the_one_state_that_is_shown(open_page: Open, project: Project, scripts: bool) -> None:
    page = open_page(ADDRESS, **PHONE, java_script_enabled=scripts)
    chips, shown = page.locator("nav.jump a"), page.locator("section.column:visible")
    expect(chips).to_have_count(len(Status))
    expect(shown).to_have_attribute("id", "column-pending")
    for status in ("failed", "completed"):
        page.locator(f"nav.jump a.{status}").tap()
        expect(shown).to_have_attribute("id", f"column-{status}")
        if scripts:
            expect(page.locator("nav.jump [aria-current]")).to_be_in_viewport(ratio=0.9)
        expect(page.locator(f"#cards-{status} > li").first).to_be_in_viewport()
    page.goto(f"{ADDRESS}?group=plan&open=failed")
    expect(page.locator(".lane .column:visible")).to_have_attribute("data-status", "failed")
    assert page.evaluate(SIDEWAYS) <= 0


def test_on_a_phone_cards_are_moved_by_touch(open_page: Open, project: Project) -> None:
    page = open_page(ADDRESS, **PHONE)
    page.locator(_card(page, "Wanted")).locator(".act-on").tap()
    page.locator("#dialog [data-verb=claim]").tap()
    expect(page.locator("#cards-active").locator(_card(page, "Wanted"))).to_have_count(1)


def test_below_1280_pixels_the_board_scrolls_and_chips_reach_every_state(open_page: Open, project: Project) -> None:
    page = open_page(ADDRESS, viewport={"width": 1000, "height": 800})
    assert page.evaluate("(b = document.querySelector('#board')) && b.scrollWidth > b.clientWidth")
    page.locator("nav.jump a.failed").click()
    expect(page.locator("#cards-failed > li").first).to_be_in_viewport(ratio=0.9)
    assert page.evaluate(SIDEWAYS) <= 0


@pytest.mark.parametrize(("size", "share"), [((1440, 900), 0.25), ((390, 844), 0.3)])
def test_the_first_card_is_high_on_the_page_and_no_state_is_off_screen(
    open_page: Open, project: Project, size: tuple[int, int], share: float
) -> None:
    page = open_page(ADDRESS, viewport={"width": size[0], "height": size[1]})
    top = "document.querySelector('.task').getBoundingClientRect().top"
    assert page.evaluate(top) < share * size[1]
    if size[0] == 1440:
        assert page.evaluate("(b = document.querySelector('#board')) && b.scrollWidth <= b.clientWidth")
        for status in Status.values:
            expect(page.locator(f"#column-{status}")).to_be_in_viewport(ratio=0.5)


@pytest.mark.parametrize("spot", [".card-slots svg >> nth=0", ".card-note .name", ".plan .name", ".what"])
def test_a_click_anywhere_on_a_card_opens_its_task(open_page: Open, project: Project, spot: str) -> None:
    make_task(project, title="Another plan")
    page = open_page(ADDRESS)
    card = page.locator("#cards-blocked > li").first
    title = card.locator(".what").inner_text()
    card.locator(spot).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(title)


def test_without_javascript_a_click_beside_the_words_of_a_card_opens_it(open_page: Open, project: Project) -> None:
    page = open_page(ADDRESS, java_script_enabled=False)
    page.locator(_card(page, "Wanted")).click(position={"x": 4, "y": 4})
    expect(page.get_by_role("heading", level=1)).to_contain_text("Wanted")


@pytest.mark.parametrize("spot", [".what bdi", ".card-note bdi"])
def test_the_words_of_a_card_can_be_selected_and_the_selection_opens_nothing(
    open_page: Open, project: Project, spot: str
) -> None:
    page = open_page(ADDRESS)
    place = page.locator("#cards-blocked > li").first.locator(spot).bounding_box()
    assert place is not None
    middle = place["y"] + place["height"] / 2
    page.mouse.move(place["x"] + 2, middle)
    page.mouse.down()
    page.mouse.move(place["x"] + 30, middle, steps=4)
    page.mouse.up()
    assert page.evaluate("getSelection().toString()") != ""
    expect(page.locator("#board")).to_be_visible()


def test_the_age_of_a_card_makes_room_for_its_menu(open_page: Open, project: Project) -> None:
    make_task(project, title="Another plan")
    page = open_page(ADDRESS)
    card = page.locator("#cards-blocked > li").first
    age, menu = card.locator("time"), card.locator(".act-on")
    expect(age).to_be_visible()
    expect(menu).to_have_css("opacity", "0")
    card.hover()
    expect(age).to_be_hidden()
    expect(menu).to_have_css("opacity", "1")
    menu.click()
    expect(page.locator("#dialog")).to_be_visible()


def test_the_filter_is_a_popover_that_narrows_the_board_by_the_name_of_a_plan(
    open_page: Open, project: Project
) -> None:
    make_plan(project, 2, title="Something else")
    page = open_page(ADDRESS, java_script_enabled=False)
    page.locator("[popovertarget=filter]").click()
    page.locator("#filter [name=plan]").fill("something")
    page.locator("#filter [name=specialist]").select_option("architect")
    page.locator("#filter button.primary").click()
    expect(page.locator(".chip")).to_have_count(2)
    expect(page.locator("#board .task")).to_have_count(1)
    page.locator(".chip[data-filter=specialist] a").click()
    expect(page.locator("#board .task")).to_have_count(2)


def test_keys_go_through_swimlanes_as_through_columns(open_page: Open, project: Project) -> None:
    make_task(project, title="A plan of one", is_ready=True)
    page = open_page(f"{ADDRESS}?group=plan")
    for _ in range(2):
        page.keyboard.press("j")
    assert page.evaluate("document.activeElement.closest('.lane h2, .lane').querySelector('h2').textContent") == (
        "Count it all"
    )
    page.keyboard.press("l")
    assert page.evaluate("document.activeElement.closest('.column').dataset.status") == "active"


@pytest.mark.parametrize("width", [390, 800, 1280, 2560])
def test_the_page_never_scrolls_sideways_whatever_the_cards_contain(
    open_page: Open, project: Project, width: int
) -> None:
    evil = "<b>\u202e" + "w" * 280
    make_task(project, title=evil, specialist="w" * 64, public_id="x_1", status=Status.ACTIVE, lease_holder="w" * 200)
    page = open_page(ADDRESS, viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    wide = "(card) => [...document.querySelectorAll('.task')].filter((each) => each.scrollWidth > each.clientWidth + 1)"
    assert page.evaluate(f"({wide})().map((each) => each.textContent)") == []


def test_a_wide_screen_shows_all_columns_at_once(open_page: Open, project: Project) -> None:
    page = open_page(ADDRESS, viewport={"width": 2560, "height": 1300})
    assert page.evaluate("document.querySelector('#board').scrollWidth <= document.querySelector('#board').clientWidth")
