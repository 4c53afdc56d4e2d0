"""A database that takes nothing for the moment: no page loses what was typed, and none shows a bare failure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.urls import reverse

from tasks.choices import Status, Verb
from tasks.library.catalogue import sha256_of
from tasks.models import Event, Task
from tests.factories import html_of, make_artifact, make_project, make_session, make_task, sent, signed_in
from tests.library.rows import chores, make_template

pytestmark = pytest.mark.django_db

TYPED = "Words that took an hour"
FORM = 'method="post"'
FORMS: dict[str, tuple[str, dict[str, str]]] = {
    "act-verb": ("active", {"reason": TYPED}),
    "task-edit": ("active", {"title": TYPED}),
    "task-complete": ("active", {"summary": TYPED, "work": "All of it."}),
    "review": ("review", {"do": Verb.REQUEST_REVISION, "words": TYPED}),
    "project-settings": ("project", {"name": TYPED, "lease_minutes": ""}),
    "specialist-edit": ("specialist", {"role_definition": TYPED, "expertise": "x", "approach": "y"}),
    "template-edit": ("template", {"text": chores(TYPED)}),
    "template-apply": ("template", {"parameters.goal": TYPED, "sha256": sha256_of(chores())}),
}


@pytest.fixture
def owner(client: Client) -> Client:
    return signed_in(client, is_staff=True, is_superuser=True)


@pytest.fixture
def places() -> dict[str, list[str]]:
    project = make_project("ledger")
    active = make_task(project, status=Status.ACTIVE, lease_session=make_session(project))
    review = make_task(project, status=Status.IN_REVIEW)
    make_artifact(review, "Some work")
    task = active.public_id
    make_template(project)
    of_project = {"project": ["ledger"], "specialist": ["ledger", "tester"], "template": ["ledger", "chores"]}
    return {"active": [task], "review": [review.public_id], **of_project}


def address_of(name: str, places: dict[str, list[str]]) -> str:
    words = places[FORMS[name][0]]
    return reverse(name, args=[*words, Verb.BLOCK] if name == "act-verb" else words)


def filled(client: Client, address: str) -> dict[str, Any]:
    """Return what a browser would send of the form on a page, which is the last one of a review."""
    page = html_of(client.get(address)).partition("<main")[2]
    return sent(page[page.rindex(FORM) :] if "/review/" in address else page, FORM)


@contextmanager
def refused(*verbs: str) -> Iterator[None]:
    """Let the database refuse what begins with these words."""

    def wrapper(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith(verbs):
            raise OperationalError("database is locked: secret rows")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(wrapper):
        yield


@pytest.mark.parametrize("name", FORMS)
def test_a_form_keeps_what_was_typed_while_the_database_takes_nothing(
    owner: Client, places: dict[str, list[str]], name: str
) -> None:
    address = address_of(name, places)
    typed = filled(owner, address) | FORMS[name][1]
    before = Task.objects.order_by("pk").values_list("status", "title", "updated_at"), Event.objects.count()
    was = list(before[0]), before[1]
    with refused("INSERT", "UPDATE", "DELETE"):
        answer = owner.post(address, typed)
    page = answer.content.decode()
    assert answer.status_code == 503
    assert TYPED in page and 'role="alert"' in page
    assert "secret" not in page and "orchestrator_" not in page
    assert (list(before[0].all()), Event.objects.count()) == was


@pytest.mark.parametrize("name", FORMS)
def test_the_same_form_sent_once_more_is_taken(owner: Client, places: dict[str, list[str]], name: str) -> None:
    address = address_of(name, places)
    typed = filled(owner, address) | FORMS[name][1]
    with refused("INSERT", "UPDATE", "DELETE"):
        page = owner.post(address, typed).content.decode()
    again = {**typed, **dict(re.findall(r'<input type="hidden" name="(seen)" value="([^"]*)"', page))}
    assert owner.post(address, again).status_code == 302


@pytest.mark.parametrize("address", ["/", "/search/?q=x", "/admin/tasks/task/", "/tokens/"])
def test_a_page_that_cannot_be_read_now_says_when_to_try_again(owner: Client, address: str) -> None:
    with refused("SELECT"):
        answer = owner.get(address)
    page = answer.content.decode()
    assert (answer.status_code, answer["Retry-After"], answer["Cache-Control"]) == (503, "2", "no-store")
    assert f'id="retry" href="{address}"' in page and "secret" not in page


def test_a_post_that_fails_offers_no_retry_link(owner: Client) -> None:
    with refused("INSERT"):
        answer = owner.post("/tokens/", {"name": "ci", "scopes": ["read"], "expires": "never"})
    assert answer.status_code == 503
    page = answer.content.decode()
    assert '<p class="code">503</p>' in page and 'id="retry"' not in page


def test_the_address_of_a_page_that_failed_is_data(owner: Client) -> None:
    with refused("SELECT"):
        page = owner.get('/search/?q="><script>alert(1)</script>').content.decode()
    assert "<script>alert" not in page
