"""Bodies that are held in memory or on the disk are taken only from callers, and only as long as they arrive."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from django.conf import settings
from django.contrib.auth import login
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest

from orchestrator_site.accounts.credentials import credential_of, sender_of
from orchestrator_site.accounts.views import BACKEND
from orchestrator_site.asgi.shares import BODIES_PER_CREDENTIAL
from orchestrator_site.asgi.site import Site
from orchestrator_site.kernel.bodies import LARGE_BODY, UNKNOWN_BODY
from orchestrator_site.kernel.identity import Principal, Scope
from orchestrator_site.tokens.service import create_token, revoke_token
from tests.factories import make_user

CHUNK = 64 * 1024
WRITER = Principal("ada", user_id=1)
READER = Principal("eve", scopes=frozenset([Scope.READ]), user_id=2)
TOKEN = Principal("ada/laptop", user_id=1, token_id="x")
LARGEST_FILE = settings.ORCHESTRATOR_MAX_UPLOAD_BYTES
FILE_FORM = "/tasks/x/complete/"


class Sent:
    """A request with a body that never ends, and how much of it was taken."""

    def __init__(self, path: str, *, sender: Principal | None, **headers: str) -> None:
        raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        self.scope = {
            "type": "http", "method": "POST", "path": path, "headers": [(b"host", b"localhost"), *raw],
            "query_string": b"", "scheme": "http",
        }  # fmt: skip
        self.taken, self.status, self.asked = 0, 0, 0
        self._sender = sender

    def knows(self, _: Any) -> Principal | None:
        self.asked += 1
        return self._sender

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
    sent = Sent(path, sender=None).run()
    assert (sent.status, sent.taken, sent.asked) == (413, UNKNOWN_BODY + CHUNK, 1)


def test_what_is_announced_too_large_is_not_taken_at_all() -> None:
    sent = Sent(FILE_FORM, sender=None, content_length=str(UNKNOWN_BODY + 1)).run()
    assert (sent.status, sent.taken) == (413, 0)


@pytest.mark.parametrize(("path", "least"), [(FILE_FORM, LARGEST_FILE), ("/x/", LARGE_BODY)])
def test_callers_are_asked_for_once_and_have_the_limit_of_the_url(path: str, least: int) -> None:
    sent = Sent(path, sender=WRITER).run()
    assert (sent.status, sent.asked, sent.taken > least) == (413, 1, True)


@pytest.mark.parametrize("sender", [READER, TOKEN])
def test_a_file_is_taken_only_from_a_person_who_may_write(sender: Principal) -> None:
    sent = Sent(FILE_FORM, sender=sender, content_length=str(LARGEST_FILE)).run()
    assert (sent.status, sent.taken) == (413, 0)


@pytest.mark.parametrize("path", [FILE_FORM, "/api/v1/plans"])
def test_nothing_is_taken_that_the_disk_has_no_room_for(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    free = SimpleNamespace(free=2 * LARGE_BODY + settings.ORCHESTRATOR_KEEP_FREE_BYTES - 1)
    monkeypatch.setattr("orchestrator_site.asgi.site.shutil.disk_usage", lambda _: free)
    sent = Sent(path, sender=WRITER, content_length=str(LARGE_BODY)).run()
    assert (sent.status, sent.taken) == (503, 0)


def test_of_one_credential_few_are_taken_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Principal] = []

    async def at_once(query: Callable[[], Any]) -> Any:
        return query()

    async def ask(site: Site, sender: Principal, ends: anyio.Event) -> None:
        async def receive() -> Any:
            begun.append(sender)
            await ends.wait()
            return {"type": "http.disconnect"}

        senders.append(sender)
        await site(Sent("/x/", sender=sender, content_length=str(LARGE_BODY)).scope, receive, None)  # type: ignore[arg-type]

    senders: list[Principal] = []
    monkeypatch.setattr("orchestrator_site.asgi.site.in_thread", at_once)

    async def main() -> None:
        site, ends = Site(lambda _: senders.pop(0), credential_of), anyio.Event()
        async with anyio.create_task_group() as tasks:
            for sender in (TOKEN, TOKEN, TOKEN, WRITER):
                tasks.start_soon(ask, site, sender, ends)
            await anyio.wait_all_tasks_blocked()
            assert begun == [TOKEN] * BODIES_PER_CREDENTIAL + [WRITER]
            ends.set()

    anyio.run(main)
    assert begun[-1] == TOKEN


@pytest.mark.parametrize("sender", [None, WRITER])
def test_a_body_that_stops_arriving_is_408(monkeypatch: pytest.MonkeyPatch, sender: Principal | None) -> None:
    monkeypatch.setattr("orchestrator_site.asgi.site.STALLED_SECONDS", 0.0)
    sent = Sent(FILE_FORM, sender=sender)
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
    found = [sender_of(Sent("/", sender=None, **each).scope) for each in [*good, *bad]]
    assert [each and each.name for each in found] == ["ada/laptop", "ada", None, None, None, None]
    revoke_token(token=token)
    user.is_active = False
    user.save()
    assert [sender_of(Sent("/", sender=None, **each).scope) for each in good] == [None, None]
