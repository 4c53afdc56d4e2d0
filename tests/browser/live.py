"""A site as `manage.py up` runs it, for what the test server of Django cannot do: streams, and assistants beside it."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.demo.assistant import Assistant, connected
from tests.homes import make_home
from tests.site.processes import Site, manage, start

Work = Callable[[Assistant], Coroutine[Any, Any, Any]]


class Assistants:
    """Assistants over real pipes, each in a server process of its own that stays for all tests of a site.

    Playwright runs an event loop in the thread of the test; this one runs in another.
    """

    def __init__(self, home: Path, folder: Path) -> None:
        self._home, self._folder = home, folder
        self._connected: dict[str, asyncio.Future[Assistant]] = {}
        self._holding: list[asyncio.Task[None]] = []
        self._over = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def begin(self, work: Work, name: str) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(self._do(work, name), self._loop)

    def end(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _do(self, work: Work, name: str) -> Any:
        if name not in self._connected:
            self._connected[name] = self._loop.create_future()
            self._holding.append(self._loop.create_task(self._hold(name)))
        return await work(await self._connected[name])

    async def _hold(self, name: str) -> None:
        with (self._home / "assistant.log").open("a") as log:
            async with connected(self._home, name, log, mode="auto") as assistant:
                await assistant.call("initialize_session", project_dir=str(self._folder))
                self._connected[name].set_result(assistant)
                await self._over.wait()

    async def _end(self) -> None:
        self._over.set()
        await asyncio.gather(*self._holding)


@dataclass
class LiveSite:
    """A running site with a folder for assistants to work in."""

    site: Site
    assistants: Assistants

    def begin(self, work: Work, *, name: str = "claude-code") -> Future[Any]:
        """Let an assistant work; returns what will come of it."""
        return self.assistants.begin(work, name)

    def assistant(self, work: Work, *, name: str = "claude-code") -> Any:
        """Let an assistant work, to the end of it."""
        return self.begin(work, name=name).result(60)

    def sign_in(self, context: BrowserContext) -> Page:
        """Open a page as the owner."""
        page = context.new_page()
        page.goto(manage("sign_in_link", "--address", self.site.address).stdout.split()[-1])
        page.locator("main form button").click()
        return page


@contextmanager
def live_site(*, port: int = 0) -> Iterator[LiveSite]:
    """Start a site on a data folder of its own, and end it."""
    top = Path(tempfile.mkdtemp(prefix="orchestrator-live-"))
    (top / "shop").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORCHESTRATOR_HOME", str(make_home(top / "home")))
        patch.delenv("DATABASE_URL", raising=False)
        with start(top / "site", "manage.py", "up", "--no-worker", "--port", str(port)) as site:
            site.wait_until_greeted()
            assistants = Assistants(top / "home", top / "shop")
            yield LiveSite(site, assistants)
            assistants.end()
            site.end()
    shutil.rmtree(top, ignore_errors=True)
