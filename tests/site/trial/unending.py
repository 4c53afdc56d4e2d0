"""Stands in for the site: one address streams for ever, another waits in a thread, and neither cares for the end."""

from __future__ import annotations

import asyncio
import time
from typing import Any


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        return await _live(receive, send)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"begun", "more_body": scope["path"] != "/healthz"})
    if scope["path"] == "/thread":
        await asyncio.to_thread(time.sleep, 600)
    while scope["path"] != "/healthz":
        await send({"type": "http.response.body", "body": b".", "more_body": True})
        await asyncio.sleep(0.1)
    return None


async def _live(receive: Any, send: Any) -> None:
    for _ in range(2):
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
