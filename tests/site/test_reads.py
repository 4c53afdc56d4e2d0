"""The reads of one credential that begin at once are few, however it is written down."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from django.conf import settings

from orchestrator_site.accounts.credentials import credential_of
from orchestrator_site.asgi.shares import READS_PER_CREDENTIAL
from orchestrator_site.asgi.site import Site

KEY = "k2p9x0v4mbq7c1zjw8t5"
COOKIE = f"{settings.SESSION_COOKIE_NAME}="


def scope_of(*headers: tuple[str, str], method: str = "GET") -> Any:
    raw = [(name.encode(), value.encode()) for name, value in headers]
    return {"type": "http", "method": method, "path": "/api/v1/search", "headers": raw}


class Held(Site):
    """Holds each request that it begins to answer."""

    def __init__(self) -> None:
        super().__init__(lambda _: None, credential_of)
        self.held = 0

    async def _answer(self, *_: Any) -> None:
        self.held += 1
        await anyio.sleep_forever()


def begun(*scopes: Any) -> int:
    """Return how many of these requests begin while none of them ends."""
    site = Held()

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            for scope in scopes:
                tasks.start_soon(site, scope, None, None)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()

    anyio.run(main)
    return site.held


TOKEN = [("authorization", f"{scheme}{' ' * blanks}{KEY}") for scheme in ("Bearer", "bearer") for blanks in (1, 2, 3)]
SESSION = [
    [("cookie", f"{COOKIE}{KEY}")],
    [("cookie", f"a=b; {COOKIE}{KEY} ;c=d")],
    [("cookie", f'{COOKIE}"{KEY}"')],
    [("cookie", f'{COOKIE}"\\153{KEY[1:]}"')],
    [("cookie", "a=b"), ("cookie", f"{COOKIE}{KEY}")],
    [("cookie", f"{COOKIE}other; {COOKIE}{KEY}"), ("authorization", "Basic x")],
]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("ways", [[[each] for each in TOKEN], SESSION])
def test_they_are_counted_together_however_they_are_written(method: str, ways: Any) -> None:
    assert begun(*(scope_of(*each, method=method) for each in ways)) == READS_PER_CREDENTIAL < len(ways)


def test_get_and_head_are_counted_together() -> None:
    assert begun(*(scope_of(TOKEN[0], method=each) for each in ("GET", "HEAD") * 3)) == READS_PER_CREDENTIAL


def test_others_and_writes_do_not_wait() -> None:
    many = READS_PER_CREDENTIAL + 1
    writes = [scope_of(TOKEN[0], method="POST")] * many
    assert begun(*writes, *[scope_of()] * many, *[scope_of(TOKEN[0])] * many) == 2 * many + READS_PER_CREDENTIAL
    assert begun(*(scope_of(("cookie", f"{COOKIE}{number}")) for number in range(many))) == many
    assert begun(*[scope_of(("cookie", f'{COOKIE}"{"x" * 1000}"'))] * many) == many
