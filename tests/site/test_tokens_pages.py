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


def test_the_site_links_to_the_tokens(ada: Client) -> None:
    assert 'href="/tokens/"' in html_of(ada.get("/"))


def test_an_empty_list_explains_tokens(ada: Client) -> None:
    assert 'class="empty"' in html_of(ada.get("/tokens/"))


def test_the_secret_of_a_new_token_is_only_in_the_response(ada: Client) -> None:
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


def test_the_form_sets_scopes_project_and_expiry(ada: Client) -> None:
    project = make_project("ledger")
    ada.post("/tokens/", {"name": "reviews", "scopes": ["review"], "project": "ledger", "expires": "never"})
    token = AccessToken.objects.get()
    assert (token.scopes, token.project, token.expires_at) == (["read", "review"], project, None)
    ada.post("/tokens/", FORM)
    expires_at = AccessToken.objects.get(name="laptop").expires_at
    assert expires_at is not None
    assert abs(expires_at - timezone.now() - timedelta(days=30)) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "\u202eturned"}, "__all__"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["rule"]}, "scopes"),
        ({"project": "nowhere"}, "project"),
        ({"expires": "soon"}, "expires"),
    ],
)
def test_an_error_is_shown_at_its_field_and_makes_no_token(ada: Client, changed: dict[str, Any], field: str) -> None:
    response = ada.post("/tokens/", {**FORM, **changed})
    assert list(response.context["form"].errors) == [field]
    assert 'class="errorlist' in html_of(response)
    assert not AccessToken.objects.exists()


def test_a_duplicate_name_is_an_error_and_the_form_is_kept(ada: Client) -> None:
    ada.post("/tokens/", FORM)
    response = ada.post("/tokens/", {**FORM, "scopes": ["review"]})
    assert list(response.context["form"].errors) == ["name"] and AccessToken.objects.count() == 1
    html = html_of(response)
    assert re.search(r'value="review" checked', html)
    assert not re.search(r'value="write" checked', html)


def test_only_scopes_of_the_user_are_offered(grace: Client) -> None:
    assert 'value="admin"' not in html_of(grace.get("/tokens/"))
    grace.post("/tokens/", {**FORM, "scopes": ["admin"]})
    assert not AccessToken.objects.exists()


def test_the_list_shows_scopes_and_last_use(ada: Client) -> None:
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


def test_a_superuser_can_list_and_revoke_all_tokens(ada: Client, grace: Client) -> None:
    token, secret = create_token(owner=user("grace"), name="spare key")
    assert "spare key" not in html_of(ada.get("/tokens/"))
    assert "spare key" in html_of(ada.get("/tokens/?owner=all"))
    assert ada.post(f"/tokens/{token.public_id}/revoke/").status_code == 302
    assert principal_of(secret) is None


def test_revoking_asks_on_get_and_happens_on_post(ada: Client) -> None:
    token, secret = create_token(owner=user("ada"), name="laptop")
    assert "Revoke <bdi>laptop</bdi>?" in html_of(ada.get(f"/tokens/{token.public_id}/revoke/"))
    assert principal_of(secret) is not None
    done = ada.post(f"/tokens/{token.public_id}/revoke/", follow=True)
    assert 'class="note success"' in html_of(done)
    assert principal_of(secret) is None


def test_a_token_of_another_user_is_404(grace: Client) -> None:
    token, secret = create_token(owner=make_user("ada"), name="hers", scopes=["read"])
    for answer in (grace.get(f"/tokens/{token.public_id}/revoke/"), grace.post(f"/tokens/{token.public_id}/revoke/")):
        assert answer.status_code == 404
    assert principal_of(secret) is not None


@pytest.mark.parametrize("address", ["/tokens/", "/tokens/token_0/revoke/"])
def test_anonymous_visitors_are_redirected_to_sign_in(client: Client, address: str) -> None:
    assert client.get(address)["Location"] == f"/sign-in/?next={address}"
    assert client.post(address, FORM)["Location"] == f"/sign-in/?next={address}"
    assert not AccessToken.objects.exists()


def test_a_post_without_a_csrf_token_makes_nothing() -> None:
    strict = signed_in(Client(enforce_csrf_checks=True), is_superuser=True)
    assert strict.post("/tokens/", FORM).status_code == 403
    assert not AccessToken.objects.exists()


def test_an_access_token_does_not_sign_in_to_pages(client: Client) -> None:
    _, secret = create_token(owner=make_user(is_superuser=True), name="laptop")
    assert client.get("/tokens/", headers={"Authorization": f"Bearer {secret}"}).status_code == 302


def test_names_are_escaped(ada: Client) -> None:
    create_token(owner=user("ada"), name="<script>alert(1)</script>")
    assert "<script>alert" not in html_of(ada.get("/tokens/"))


def test_many_tokens_are_paginated_with_a_fixed_number_of_queries(
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
