"""Words that were typed and not sent yet: what becomes of them when a person is signed out, reloads, or leaves."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from playwright.sync_api import Page, expect

from tasks.choices import Status
from tasks.models import Task
from tests.browser.conftest import Open
from tests.factories import make_artifact, make_plan, make_project, make_task, make_user

WORDS = "Name your numbers, all of them."
OVERALL, REQUEST = "#verdict textarea[name=words]", "#verdict button[value=request_revision]"
SIGN_IN = "form input[name=username]"


@pytest.fixture
def task(transactional_db: None) -> Task:
    project = make_project("ledger")
    found = make_task(project, parent=make_plan(project, 0), title="Count it", status=Status.IN_REVIEW, summary="Done")
    make_artifact(found, "one\ntwo\n", paths=["a.py"])
    return found


def _sign_in(page: Page, user: User) -> None:
    """Sign someone in as another tab would."""
    client = Client()
    client.force_login(user)
    name = settings.SESSION_COOKIE_NAME
    page.context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": _site(page)}])


def _site(page: Page) -> str:
    return "/".join(page.url.split("/")[:3])


def test_a_verdict_sent_after_signing_in_ran_out_is_there_again_after_signing_in(open_page: Open, task: Task) -> None:
    address = f"/tasks/{task.public_id}/review/"
    page = open_page(address)
    page.locator(OVERALL).fill(WORDS)
    Session.objects.all().delete()
    page.locator(REQUEST).click()
    expect(page.locator(SIGN_IN)).to_be_visible()
    _sign_in(page, User.objects.get())
    page.goto(_site(page) + address)
    expect(page.locator(OVERALL)).to_have_value(WORDS)
    page.locator(REQUEST).click()
    expect(page.locator("#messages [data-code=request_revision]")).to_be_visible()
    task.refresh_from_db()
    assert task.review_comment == WORDS
    Task.objects.filter(pk=task.pk).update(status=Status.IN_REVIEW, is_ready=False)
    page.goto(_site(page) + address)
    expect(page.locator(OVERALL)).to_have_value("")


def test_an_expired_form_loses_no_input(open_page: Open, task: Task, complaints: list[str]) -> None:
    address = f"/tasks/{task.public_id}/review/"
    page = open_page(address)
    page.locator(OVERALL).fill(WORDS)
    page.context.clear_cookies(name=settings.CSRF_COOKIE_NAME)
    page.locator(REQUEST).click()
    expect(page.locator(".problem .code")).to_have_text("403")
    page.goto(_site(page) + address)
    expect(page.locator(OVERALL)).to_have_value(WORDS)
    complaints.clear()  # the browser says of the form that was refused


def test_a_closed_form_keeps_its_draft_until_it_is_cancelled(open_page: Open, task: Task) -> None:
    Task.objects.filter(pk=task.pk).update(status=Status.PENDING)
    page = open_page(f"/tasks/{task.public_id}/")
    reason = page.locator("#dialog textarea[name=reason]")

    def open_form() -> None:
        page.locator("[popovertarget=more]").click()
        page.locator("[data-verb=block]").click()

    open_form()
    reason.fill(WORDS)
    page.keyboard.press("Escape")
    open_form()
    expect(reason).to_have_value(WORDS)
    page.locator("#dialog-body [data-close]").click()
    open_form()
    expect(reason).to_have_value("")


def test_drafts_survive_a_reload_until_they_are_sent(open_page: Open, task: Task) -> None:
    Task.objects.filter(pk=task.pk).update(status=Status.PENDING, is_ready=True)
    page = open_page(f"/tasks/{task.public_id}/complete/")
    page.locator("textarea[name=summary]").fill(WORDS)
    page.goto(page.url)  # again, without what the browser itself remembers of a form
    expect(page.locator("textarea[name=summary]")).to_have_value(WORDS)
    page.locator("main form button.primary").click()
    page.wait_for_url(f"**/tasks/{task.public_id}/")
    assert page.evaluate("Object.keys(sessionStorage)") == []


def test_other_users_do_not_see_drafts(open_page: Open, task: Task) -> None:
    address = f"/tasks/{task.public_id}/review/"
    page = open_page(address)
    page.locator(OVERALL).fill(WORDS)
    _sign_in(page, make_user("adam", is_staff=True))
    page.goto(_site(page) + address)
    expect(page.locator(OVERALL)).to_have_value("")
    _sign_in(page, User.objects.get(username="ada"))
    page.goto(_site(page) + address)
    expect(page.locator(OVERALL)).to_have_value(WORDS)
    page.locator("[data-user-menu]").click()
    page.locator("[data-sign-out] button").click()
    expect(page.locator(SIGN_IN)).to_be_visible()
    assert page.evaluate("Object.keys(sessionStorage)") == []
