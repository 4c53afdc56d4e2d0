"""Every URL with every method for every kind of caller: who is let in, who changes what, and who sees whose texts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLResolver, get_resolver
from django.utils import timezone

from artifacts.models import Artifact
from orchestrator_site.models import AccessToken
from orchestrator_site.tokens.service import create_token
from tests.factories import make_project, make_user
from tests.tour import World, make_world

pytestmark = pytest.mark.django_db

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
SAFE = METHODS[:3]
MARK = "quince-42"
"""A text that only those who may read the project get to see."""
OPEN = {
    "api-docs", "api-problem", "api-schema", "api-settings-schema", "api-template-schema", "healthz", "login", "logout",
    "readyz", "sign-in", "sign-in-link", "sign-out", "theme",
}  # fmt: skip
"""What answers without credentials."""
STRANGERS = ("none", "garbage", "expired", "revoked", "inactive")
CALLERS = (*STRANGERS, "no scopes", "bound elsewhere", "read", "reader's token", "reader's session")
READERS = ("no scopes", "bound elsewhere", "read", "reader's token", "reader's session")
OWN = {"api-session-list", "api-token-list", "api-token-detail", "api-token-revoke", "tokens", "token-revoke"}
"""What is a caller's own, whatever it may do elsewhere."""
LOGS = {"tasks.event", "tasks.session", "sessions.session"}
CLOSED = {302, 401, 403, 404, 405, 429}


@dataclass(frozen=True, slots=True)
class Address:
    name: str
    path: str


def addresses(world: World, artifact: Artifact) -> Iterator[Address]:
    """Yield every URL of the site, all about one project. Raises KeyError for a variable without a value here."""
    task, session = world.review.public_id, world.session.public_id
    ids = {
        "runs/": world.run.public_id,
        "tasks/": task,
        "sessions/": session,
        "artifacts/": artifact.public_id,
        "tokens/": "token_00000000",
    }
    values = {
        "project": world.project.slug, "slug": world.project.slug, "task_id": task, "session_id": session,
        "artifact_id": artifact.public_id, "needed_id": task, "name": "tester", "verb": "cancel", "path": "src",
        "upload_id": "upload_00000000", "token_id": "token_00000000", "token": "never-made", "code": "invalid",
        "number": "1", "run_id": world.run.public_id,
        "context_id": world.context.public_id, "lesson_id": str(world.lesson.pk),
        "operation_id": world.operation.public_id, "finding_id": str(world.finding.pk),
        "template": "bugfix", "recurring_id": str(world.recurring.pk), "plan_id": world.done.public_id,
        "pk": str(world.template.pk),
        "id": "1", "object_id": "1", "content_type_id": "1", "app_label": "tasks", "url": "nothing",
    }  # fmt: skip

    def filled(match: re.Match[str]) -> str:
        variable = match["converter"] or match["group"]
        if variable == "public_id":
            return next(ids[prefix] for prefix in ids if match.string.startswith(prefix))
        return values[variable]

    for name, pattern in _patterns(get_resolver()):
        path = re.sub(r"\(\?P<(?P<group>\w+)>[^)]*\)|<(?:\w+:)?(?P<converter>\w+)>", filled, pattern)
        yield Address(name, "/" + re.sub(r"[\^$]", "", path))


def _patterns(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, str]]:
    for each in resolver.url_patterns:
        if isinstance(each, URLResolver):
            yield from _patterns(each, prefix + str(each.pattern))
        else:
            yield each.name or "", prefix + str(each.pattern)


@pytest.fixture
def world() -> World:
    return make_world(MARK)


def _client(caller: str, world: World) -> Client:
    """Return a caller of a kind; tokens are those of an account that may do everything, unless it says otherwise."""
    reader = make_user("rita")
    owner = make_user("ada", is_staff=True, is_superuser=True)
    client = Client(raise_request_exception=False)
    if caller == "reader's session":
        client.force_login(reader)
    if caller in ("none", "reader's session"):
        return client
    project = make_project("elsewhere") if caller == "bound elsewhere" else None
    scopes = ["read"] if caller == "read" else ["read", "write", "review", "admin"]
    _, secret = create_token(owner=owner, name="laptop", scopes=scopes, project=project)
    match caller:
        case "garbage":
            secret += "x"
        case "expired":
            AccessToken.objects.update(created_at="2020-01-01T00:00Z", expires_at="2020-01-02T00:00Z")
        case "revoked":
            AccessToken.objects.update(revoked_at=timezone.now())
        case "inactive":
            User.objects.filter(pk=owner.pk).update(is_active=False)
        case "no scopes":
            AccessToken.objects.update(scopes=[])
        case "reader's token":
            AccessToken.objects.update(owner=reader)
    client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {secret}"
    return client


def _rows() -> str:
    """Return a digest of all that is stored, but for sessions and the time at which a token was last used."""
    digest = sha256()
    for model in apps.get_models():
        rows = model._base_manager.order_by("pk")
        fields = [each.attname for each in model._meta.concrete_fields if not each.attname.startswith("last_")]
        if model._meta.label_lower not in LOGS:
            digest.update(repr((model._meta.label, list(rows.values_list(*fields)))).encode())
    return digest.hexdigest()


def _asked(client: Client, address: Address, method: str) -> tuple[int, bytes]:
    if address.path.startswith("/api/v1/events"):
        client.defaults["HTTP_ACCEPT"] = "application/json"  # a stream would not end
    answer: Any = client.generic(method, address.path, b"{}" if method not in SAFE else b"", "application/json")
    body = b"".join(answer.streaming_content) if answer.streaming and not answer.is_async else answer.content
    return answer.status_code, body


@pytest.mark.parametrize("caller", CALLERS)
def test_no_caller_gets_further_than_allowed(world: World, caller: str) -> None:
    client, before = _client(caller, world), _rows()
    wrong = []
    for address in list(addresses(world, world.artifact)):
        for method in METHODS:
            status, body = _asked(client, address, method)
            if found := _fault(caller, address, method, status, body):
                wrong.append(f"{method} {address.path} ({address.name}): {status}: {found}")
    assert wrong == []
    assert _rows() == before


def _fault(caller: str, address: Address, method: str, status: int, body: bytes) -> str:
    is_open = address.name in OPEN
    may_read = caller in ("read", "reader's token", "reader's session")
    if status >= 500 and address.name != "readyz":
        return "broke"
    if not is_open and caller in STRANGERS and method != "OPTIONS" and status not in CLOSED:
        return "open to a stranger"
    if MARK.encode() in body and not may_read:
        return "shows a foreign text"
    if (
        caller in READERS
        and method not in SAFE
        and address.name not in OPEN | OWN
        and status not in CLOSED | {400, 415}
    ):
        return "accepted a write"
    return ""
