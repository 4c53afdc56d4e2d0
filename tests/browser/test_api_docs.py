"""The page of the REST API's documentation, under the site's own strict policy and without another host."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Open


def test_swagger_ui_shows_every_family_and_loads_from_this_site_alone(open_page: Open) -> None:
    page = open_page("/tokens/")
    hosts = set()
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    page.goto("/api/docs/")
    for family in ("artifacts", "events", "plans", "projects", "sessions", "tasks", "tokens"):
        expect(page.locator(f"#operations-tag-{family}")).to_be_visible()
    page.locator("#operations-tag-projects").click()  # the largest
    expect(page.locator("#operations-projects-projects_list")).to_be_visible()
    assert hosts == {page.url.split("/")[2]}


def test_a_person_who_signed_in_tries_a_read_and_a_write_on_the_page(open_page: Open) -> None:
    page = open_page("/tokens/")  # its form brings the cookie that writes need
    page.goto("/api/docs/")
    page.locator("#operations-tag-tokens").click()
    for operation, body, status in (
        ("tokens_list", None, "200"),
        ("tokens_create", '{"name": "from the page", "scopes": ["read"]}', "201"),
    ):
        block = page.locator(f"#operations-tokens-{operation}")
        block.locator(".opblock-summary-control").first.click()
        block.get_by_role("button", name="Try it out").click()
        if body:
            block.locator("textarea.body-param__text").fill(body)
        block.get_by_role("button", name="Execute").click()
        expect(block.locator(".live-responses-table tbody .response-col_status").first).to_contain_text(status)
