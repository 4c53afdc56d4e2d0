"""Bodies that are held in memory or on the disk are taken only from callers, and only as long as they arrive."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from django.conf import settings
from django.contrib.auth import login
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest

from orchestrator_site.accounts.credentials import credential_of, is_caller
from orchestrator_site.accounts.views import BACKEND
from orchestrator_site.asgi.site import Site
from orchestrator_site.kernel.bodies import LARGE_BODY, UNKNOWN_BODY
from orchestrator_site.tokens.service import create_token, revoke_token
from tests.factories import make_user

CHUNK = 64 * 1024
FILE_FORM = "/tasks/x/complete/"


class Sent:
    """A request with a body that never ends, and how much of it was taken."""

    def __init__(self, path: str, *, is_known: bool, **headers: str) -> None:
        raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        self.scope = {
            "type": "http", "method": "POST", "path": path, "headers": [(b"host", b"localhost"), *raw],
            "query_string": b"", "scheme": "http",
        }  # fmt: skip
        self.taken, self.status, self.asked = 0, 0, 0
        self._is_known = is_known

    def knows(self, _: Any) -> bool:
        self.asked += 1
        return self._is_known

    async def receive(self) -> Any:
        self.taken += CHUNK
        return {"type": "http.request", "body": b"x" * CHUNK, "more_body": True}

    async def send(self, message: Any) -> None:
        self.status = message.get("status", self.status)

    def run(self) -> Sent:
        async def main() -> None:
            await Site(self.knows, credential_of)(self.scope, self.receive, self.send)

        anyio.run(main)
        return self


@pytest.mark.parametrize("path", [FILE_FORM, "/sign-in/", "/api/v1/plans", "/nowhere"])
def test_without_credentials_little_is_taken(path: str) -> None:
    sent = Sent(path, is_known=False).run()
    assert (sent.status, sent.taken, sent.asked) == (413, UNKNOWN_BODY + CHUNK, 1)


def test_what_is_announced_too_large_is_not_taken_at_all() -> None:
    sent = Sent(FILE_FORM, is_known=False, content_length=str(UNKNOWN_BODY + 1)).run()
    assert (sent.status, sent.taken) == (413, 0)


@pytest.mark.parametrize(("path", "least"), [(FILE_FORM, settings.ORCHESTRATOR_MAX_UPLOAD_BYTES), ("/x/", LARGE_BODY)])
def test_callers_are_asked_for_once_and_have_the_limit_of_the_url(path: str, least: int) -> None:
    sent = Sent(path, is_known=True).run()
    assert (sent.status, sent.asked, sent.taken > least) == (413, 1, True)


@pytest.mark.parametrize("is_known", [False, True])
def test_a_body_that_stops_arriving_is_408(monkeypatch: pytest.MonkeyPatch, is_known: bool) -> None:
    monkeypatch.setattr("orchestrator_site.asgi.site.STALLED_SECONDS", 0.0)
    sent = Sent(FILE_FORM, is_known=is_known)
    monkeypatch.setattr(sent, "receive", anyio.sleep_forever)
    assert sent.run().status == 408


@pytest.mark.django_db(transaction=True)
def test_a_caller_has_a_token_or_a_session_that_is_good() -> None:
    user = make_user("ada")
    token, secret = create_token(owner=user, name="laptop", scopes=["read"])
    request = HttpRequest()
    request.session = SessionStore()
    login(request, user, backend=BACKEND)
    request.session.save()
    cookie = f"{settings.SESSION_COOKIE_NAME}={request.session.session_key}"
    good = [{"authorization": f"Bearer {secret}"}, {"cookie": f"a=b; {cookie}"}]
    bad = [{}, {"authorization": "Bearer mto_x"}, {"cookie": f"{settings.SESSION_COOKIE_NAME}=x"}, {"cookie": ";=,"}]
    assert [is_caller(Sent("/", is_known=True, **each).scope) for each in [*good, *bad]] == [True] * 2 + [False] * 4
    revoke_token(token=token)
    user.is_active = False
    user.save()
    assert [is_caller(Sent("/", is_known=True, **each).scope) for each in good] == [False, False]
