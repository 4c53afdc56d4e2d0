"""The log of a run as server-sent events: entries as they come, then `end`."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from functools import partial
from time import monotonic
from typing import Any

import anyio

from orchestrator_site.asgi.event_hub import EventHub
from tasks.agents import run_log
from tasks.agents.choices import LIVE
from tasks.agents.models import Run
from tasks.agents.places import log_of
from tasks.agents.run_log import Entries
from tasks.api.event_stream import CHECK_SECONDS, HEARTBEAT_SECONDS, RETRY_MS, is_allowed, release_thread
from tasks.models import Event

POLL_SECONDS = 0.5
BATCH = 100
"""The most entries at once, so that no agent floods a page."""
END = b"event: end\ndata: {}\n\n"


def opening(found: Entries) -> bytes:
    return b"retry: %d\n\n%b" % (RETRY_MS, frames(found))


def frames(found: Entries) -> bytes:
    """Return entries, and after them where to go on, so that a client cut off among them skips none."""
    entries = (f"event: entry\ndata: {json.dumps(entry)}\n\n" for entry in found.entries)
    return "".join([*entries, f"id: {found.cursor}\n\n"]).encode()


async def follow(hub: EventHub[Event], run: Run, found: Entries, scope: dict[str, Any]) -> AsyncIterator[bytes]:
    """Stream entries until the run has ended, the server stops or the credentials are revoked."""
    hub.streams += 1
    try:
        release_thread()
        yield opening(found)
        async with aclosing(_news(hub, run, found.cursor, scope)) as news:
            async for each in news:
                yield each
    finally:
        hub.streams -= 1


async def _news(hub: EventHub[Event], run: Run, cursor: int, scope: dict[str, Any]) -> AsyncGenerator[bytes, None]:
    check_at, beat_at = monotonic() + CHECK_SECONDS, monotonic() + HEARTBEAT_SECONDS
    while not hub.is_over:
        found, is_live = await hub.ask(partial(_look, run, cursor), default=(Entries([], cursor, at_end=True), True))
        cursor = found.cursor
        if found.entries:
            beat_at = monotonic() + HEARTBEAT_SECONDS
            yield frames(found)
        elif not is_live:
            yield END
            return
        elif monotonic() >= beat_at:
            beat_at = monotonic() + HEARTBEAT_SECONDS
            yield b": still here\n\n"
        if monotonic() >= check_at:
            if not await hub.ask(partial(is_allowed, scope), default=True):
                return
            check_at = monotonic() + CHECK_SECONDS
        await anyio.sleep(POLL_SECONDS)


def _look(run: Run, cursor: int) -> tuple[Entries, bool]:
    """Return what is new, and whether more can come; asked in this order, nothing written before the end is missed."""
    is_live = Run.objects.filter(pk=run.pk, state__in=LIVE).exists()
    return run_log.read(log_of(run), cursor, limit=BATCH), is_live
