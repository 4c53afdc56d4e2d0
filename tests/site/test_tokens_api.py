"""/api/v1/tokens: access tokens over REST."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from orchestrator_site.models import AccessToken
from orchestrator_site.tokens.service import create_token, principal_of
from tasks.models import IdempotencyKey
from tests.factories import make_project, make_user, signed_in

pytestmark = pytest.mark.django_db
TOKENS = "/api/v1/tokens"


@pytest.fixture
def ada() -> User:
    return make_user("ada", is_staff=True, is_superuser=True)


def client_of(owner: User, *scopes: str, **facts: Any) -> Client:
    secret = create_token(owner=owner, name=f"the one with {scopes} {facts}", scopes=scopes, **facts)[1]
    return Client(headers={"Authorization": f"Bearer {secret}"})


def make(client: Client, **facts: Any) -> Any:
    headers = facts.pop("headers", {})
    return client.post(TOKENS, json.dumps(facts), content_type="application/json", headers=headers)


def names(client: Client) -> list[str]:
    return [row["name"] for row in client.get(TOKENS).json()["results"]]


def test_the_secret_is_only_in_the_response_to_the_post(ada: User) -> None:
    ruler = client_of(ada, "admin")
    project = make_project("ledger")
    end = (timezone.now() + timedelta(days=3)).isoformat()
    answer = make(ruler, name="laptop", scopes=["write"], project="ledger", expires_at=end)
    made = answer.json()
    assert (answer.status_code, answer["Cache-Control"]) == (201, "no-store")
    assert (made["name"], made["owner"], made["scopes"], made["project"], made["state"]) == (
        "laptop", "ada", ["read", "write"], "ledger", "active",
    )  # fmt: skip
    principal = principal_of(made["secret"])
    assert principal is not None
    assert (principal.name, principal.project_id) == ("ada/laptop", project.pk)
    read = ruler.get(answer["Location"])
    assert "secret" not in read.json()
    assert made["secret"] not in ruler.get(TOKENS).content.decode()


def test_by_default_a_token_can_read_and_write_and_never_expires(ada: User) -> None:
    made = make(client_of(ada, "admin"), name="laptop").json()
    assert (made["scopes"], made["project"], made["expires_at"]) == (["read", "write"], None, None)


def test_a_replayed_request_gets_null_instead_of_the_secret(ada: User) -> None:
    ruler = client_of(ada, "admin")
    first = make(ruler, name="laptop", headers={"Idempotency-Key": "k1"})
    again = make(ruler, name="laptop", headers={"Idempotency-Key": "k1"})
    assert (again.status_code, again["Idempotency-Replayed"], again.json()["secret"]) == (201, "true", None)
    assert again.json()["token_id"] == first.json()["token_id"]
    assert AccessToken.objects.filter(name="laptop").count() == 1
    assert first.json()["secret"] not in str(list(IdempotencyKey.objects.values()))


@pytest.mark.parametrize("scopes", [["read"], ["write"], ["review"], ["write", "review"]])
def test_a_token_without_admin_cannot_manage_tokens(ada: User, scopes: list[str]) -> None:
    worker = client_of(ada, *scopes)
    token, secret = create_token(owner=ada, name="laptop")
    answers = [
        worker.get(TOKENS),
        worker.get(f"{TOKENS}/{token.public_id}"),
        make(worker, name="more", scopes=["read"]),
        worker.post(f"{TOKENS}/{token.public_id}/revoke", {}, content_type="application/json"),
    ]
    assert [answer.status_code for answer in answers] == [403] * 4
    assert principal_of(secret) is not None
    assert not AccessToken.objects.filter(name="more").exists()


def test_a_token_cannot_grant_scopes_that_it_lacks(ada: User) -> None:
    ruler = client_of(ada, "admin")
    User.objects.update(is_superuser=False)  # what it was given, its owner has no more
    refused = make(ruler, name="more", scopes=["admin"])
    assert refused.status_code == 403
    assert not AccessToken.objects.filter(name="more").exists()


def test_a_bound_token_manages_only_tokens_of_its_project(ada: User) -> None:
    ledger, other = make_project("ledger"), make_project("other")
    bound = client_of(ada, "admin", project=ledger)
    hidden, _ = create_token(owner=ada, name="hidden", project=other)
    assert "hidden" not in names(bound)
    assert bound.get(f"{TOKENS}/{hidden.public_id}").status_code == 404
    assert make(bound, name="all").status_code == 403
    assert make(bound, name="there", project="other").status_code == 404
    assert make(bound, name="here", project="ledger").status_code == 201


def test_a_signed_in_person_manages_their_own_tokens(ada: User) -> None:
    grace = signed_in(Client(), name="grace", is_staff=True)
    create_token(owner=ada, name="hers")
    made = make(grace, name="laptop", scopes=["review"]).json()
    assert names(grace) == ["laptop"]
    assert make(grace, name="more", scopes=["admin"]).status_code == 403
    revoked = grace.post(f"{TOKENS}/{made['token_id']}/revoke", {}, content_type="application/json")
    assert (revoked.status_code, revoked.json()["state"]) == (200, "revoked")
    assert principal_of(made["secret"]) is None


def test_a_session_without_a_csrf_token_cannot_write() -> None:
    strict = signed_in(Client(enforce_csrf_checks=True), is_superuser=True)
    assert make(strict, name="laptop").status_code == 403
    assert not AccessToken.objects.exists()


def test_an_admin_lists_and_revokes_all_tokens(ada: User) -> None:
    token, secret = create_token(owner=make_user("grace", is_staff=True), name="hers")
    ruler = client_of(ada, "admin")
    assert "hers" in names(ruler)
    for _ in range(2):
        answer = ruler.post(f"{TOKENS}/{token.public_id}/revoke", {}, content_type="application/json")
        assert (answer.status_code, answer.json()["state"]) == (200, "revoked")
    assert principal_of(secret) is None


def test_a_token_can_revoke_itself(ada: User) -> None:
    ruler = client_of(ada, "admin")
    own = AccessToken.objects.get().public_id
    assert ruler.post(f"{TOKENS}/{own}/revoke", {}, content_type="application/json").status_code == 200
    assert ruler.get(TOKENS).status_code == 401


@pytest.mark.parametrize(
    ("facts", "at"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": 1}, "name"),
        ({"name": "x", "scopes": []}, "scopes"),
        ({"name": "x", "scopes": ["rule"]}, "scopes"),
        ({"name": "x", "scopes": "read"}, "scopes"),
        ({"name": "x", "expires_at": "soon"}, "expires_at"),
        ({"name": "x", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"name": "x", "owner": "grace"}, "owner"),
    ],
)
def test_an_error_names_its_field(ada: User, facts: dict[str, Any], at: str) -> None:
    answer = make(client_of(ada, "admin"), **facts)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert at in answer.json()["detail"]


def test_a_duplicate_name_is_a_conflict(ada: User) -> None:
    ruler = client_of(ada, "admin")
    make(ruler, name="laptop")
    assert make(ruler, name="laptop").status_code == 409
