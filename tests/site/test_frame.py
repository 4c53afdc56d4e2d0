"""What stands on every page: the colours that someone chose, and how much waits for a review."""

from __future__ import annotations

import pytest
from django.test import Client

from tasks.choices import Status
from tests.factories import html_of, make_project, make_task, signed_in

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_chosen_colours_are_painted_from_the_first_moment(client: Client, theme: str) -> None:
    signed_in(client).post("/theme/", {"theme": theme})
    page = html_of(client.get("/"))
    assert f'data-theme="{theme}"' in page and f'<meta name="color-scheme" content="{theme}">' in page


def test_the_colours_of_the_system_hold_where_nothing_was_chosen(client: Client) -> None:
    page = html_of(signed_in(client).get("/"))
    assert "data-theme" not in page and 'content="light dark"' in page


@pytest.mark.parametrize("theme", ["", "pink", '"><script>'])
def test_colours_that_are_none_change_nothing(client: Client, theme: str) -> None:
    answer = signed_in(client).post("/theme/", {"theme": theme})
    assert answer.status_code == 302 and not answer.cookies.get("theme")
    client.cookies["theme"] = theme.replace('"', "")
    assert "data-theme" not in html_of(client.get("/"))


@pytest.mark.parametrize(
    ("target", "lands"), [("/tokens/", "/tokens/"), ("https://evil.invalid/", "/"), ("//evil.invalid", "/"), ("", "/")]
)
def test_choosing_leads_back_to_pages_of_this_site_alone(client: Client, target: str, lands: str) -> None:
    assert signed_in(client).post("/theme/", {"theme": "dark", "next": target})["Location"] == lands


@pytest.mark.parametrize(("number", "word"), [(0, None), (1, "1"), (99, "99"), (100, "99+")])
def test_every_page_says_how_much_waits_for_a_review(client: Client, number: int, word: str | None) -> None:
    project = make_project()
    for _ in range(number):
        make_task(project, status=Status.IN_REVIEW)
    page = html_of(signed_in(client).get("/tokens/"))
    assert ('id="to-review"' in page) == (word is not None)
    if word:
        assert f'id="to-review">{word}<' in page
