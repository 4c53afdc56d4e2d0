"""The pages of access tokens."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from orchestrator_site.models import AccessToken
from orchestrator_site.tokens.service import create_token, principal_of
from tests.factories import html_of, make_project, make_user, signed_in

pytestmark = pytest.mark.django_db
FORM = {"name": "laptop", "scopes": ["read", "write"], "project": "", "expires": "30d"}


@pytest.fixture
def ada(client: Client) -> Client:
    return signed_in(client, name="ada", is_staff=True, is_superuser=True)


@pytest.fixture
def grace() -> Client:
    return signed_in(Client(), name="grace", is_staff=True)


def user(name: str) -> User:
    return User.objects.get(username=name)


def secret_in(html: str) -> str:
    found = re.search(r'value="(mto_[\w-]{43})"', html)
    assert found, html
    return found[1]


def test_the_site_leads_to_the_tokens(ada: Client) -> None:
    assert 'href="/tokens/"' in html_of(ada.get("/"))


def test_without_tokens_the_page_says_what_they_are_for(ada: Client) -> None:
    assert 'class="empty"' in html_of(ada.get("/tokens/"))


def test_a_token_is_made_and_its_secret_shown_in_the_answer_alone(ada: Client) -> None:
    answer = ada.post("/tokens/", FORM)
    html = html_of(answer)
    secret = secret_in(html)
    principal = principal_of(secret)
    assert principal is not None
    assert principal.name == "ada/laptop"
    assert "no-store" in answer["Cache-Control"]
    assert f"curl -H &quot;Authorization: Bearer {secret}" in html or f'curl -H "Authorization: Bearer {secret}' in html
    assert "http://testserver/mcp" in html
    assert secret not in html_of(ada.get("/tokens/"))
    kept = str([session.get_decoded() for session in Session.objects.all()]) + str(ada.cookies)
    assert secret not in kept


def test_what_was_chosen_is_what_the_token_gets(ada: Client) -> None:
    project = make_project("ledger")
    ada.post("/tokens/", {"name": "reviews", "scopes": ["review"], "project": "ledger", "expires": "never"})
    token = AccessToken.objects.get()
    assert (token.scopes, token.project, token.expires_at) == (["read", "review"], project, None)
    ada.post("/tokens/", FORM)
    expires_at = AccessToken.objects.get(name="laptop").expires_at
    assert expires_at is not None
    assert abs(expires_at - timezone.now() - timedelta(days=30)) < timedelta(minutes=1)


@pytest.mark.parametrize(
    "changed",
    [
        {"name": ""},
        {"name": "\u202eturned"},
        {"scopes": []},
        {"scopes": ["rule"]},
        {"project": "nowhere"},
        {"expires": "soon"},
    ],
)
def test_a_mistake_is_shown_and_makes_nothing(ada: Client, changed: dict[str, Any]) -> None:
    assert html_of(ada.post("/tokens/", {**FORM, **changed})).count('class="errorlist') == 1
    assert not AccessToken.objects.exists()


def test_a_name_that_is_taken_is_told_with_the_rest_of_the_form_kept(ada: Client) -> None:
    ada.post("/tokens/", FORM)
    html = html_of(ada.post("/tokens/", {**FORM, "scopes": ["review"]}))
    assert html.count('class="errorlist') == 1 and AccessToken.objects.count() == 1
    assert re.search(r'value="review" checked', html)
    assert not re.search(r'value="write" checked', html)


def test_a_person_is_offered_no_scope_that_they_have_not(grace: Client) -> None:
    assert 'value="admin"' not in html_of(grace.get("/tokens/"))
    grace.post("/tokens/", {**FORM, "scopes": ["admin"]})
    assert not AccessToken.objects.exists()


def test_a_list_says_what_each_token_may_and_when_it_was_used(ada: Client) -> None:
    token, _ = create_token(owner=user("ada"), name="laptop", project=make_project("ledger", name="The ledger"))
    AccessToken.objects.update(last_used_at=timezone.now() - timedelta(minutes=3, seconds=5))
    html = html_of(ada.get("/tokens/"))
    for words in (token.public_id, "read, write", "The ledger", "3 minutes ago", "never expires", "active"):
        assert words in html
    assert token.digest not in html


@pytest.mark.parametrize("address", ["/tokens/", "/tokens/?owner=all"])
def test_a_person_sees_only_their_own_tokens(grace: Client, address: str) -> None:
    create_token(owner=make_user("ada"), name="hers", scopes=["read"])
    assert "hers" not in html_of(grace.get(address))


def test_a_superuser_may_see_and_revoke_the_tokens_of_everybody(ada: Client, grace: Client) -> None:
    token, secret = create_token(owner=user("grace"), name="spare key")
    assert "spare key" not in html_of(ada.get("/tokens/"))
    assert "spare key" in html_of(ada.get("/tokens/?owner=all"))
    assert ada.post(f"/tokens/{token.public_id}/revoke/").status_code == 302
    assert principal_of(secret) is None


def test_revoking_is_asked_first_and_done_by_a_post(ada: Client) -> None:
    token, secret = create_token(owner=user("ada"), name="laptop")
    assert "Revoke <bdi>laptop</bdi>?" in html_of(ada.get(f"/tokens/{token.public_id}/revoke/"))
    assert principal_of(secret) is not None
    done = ada.post(f"/tokens/{token.public_id}/revoke/", follow=True)
    assert 'class="note success"' in html_of(done)
    assert principal_of(secret) is None


def test_the_token_of_somebody_else_is_not_there(grace: Client) -> None:
    token, secret = create_token(owner=make_user("ada"), name="hers", scopes=["read"])
    for answer in (grace.get(f"/tokens/{token.public_id}/revoke/"), grace.post(f"/tokens/{token.public_id}/revoke/")):
        assert answer.status_code == 404
    assert principal_of(secret) is not None


@pytest.mark.parametrize("address", ["/tokens/", "/tokens/token_0/revoke/"])
def test_who_has_not_signed_in_is_sent_to_do_so(client: Client, address: str) -> None:
    assert client.get(address)["Location"] == f"/sign-in/?next={address}"
    assert client.post(address, FORM)["Location"] == f"/sign-in/?next={address}"
    assert not AccessToken.objects.exists()


def test_a_form_of_another_site_makes_nothing() -> None:
    strict = signed_in(Client(enforce_csrf_checks=True), is_superuser=True)
    assert strict.post("/tokens/", FORM).status_code == 403
    assert not AccessToken.objects.exists()


def test_a_token_opens_no_page(client: Client) -> None:
    _, secret = create_token(owner=make_user(is_superuser=True), name="laptop")
    assert client.get("/tokens/", headers={"Authorization": f"Bearer {secret}"}).status_code == 302


def test_names_are_shown_as_text(ada: Client) -> None:
    create_token(owner=user("ada"), name="<script>alert(1)</script>")
    assert "<script>alert" not in html_of(ada.get("/tokens/"))


def test_many_tokens_come_in_pages_with_a_fixed_number_of_questions(
    ada: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(51):
        create_token(owner=user("ada"), name=f"token number {number}", project=make_project())
    with django_assert_max_num_queries(8):
        first = html_of(ada.get("/tokens/"))
    assert "token number 50" in first
    assert "token number 0<" not in first
    assert "token number 0<" in html_of(ada.get("/tokens/?page=2"))
    assert 'class="empty"' in html_of(ada.get("/tokens/?page=9"))
