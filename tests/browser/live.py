"""A site as `manage.py up` runs it, for what the test server of Django cannot do: streams, and assistants beside it."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.demo.assistant import Assistant, connected
from tests.homes import make_home
from tests.site.processes import Site, manage, start

Work = Callable[[Assistant], Coroutine[Any, Any, Any]]


@dataclass
class LiveSite:
    """A running site with a folder for assistants to work in."""

    site: Site
    home: Path
    folder: Path
    _threads: ThreadPoolExecutor = field(default_factory=ThreadPoolExecutor)

    def begin(self, work: Work, *, name: str = "claude-code") -> Future[Any]:
        """Let an assistant work over a real pipe, in a server process of its own; returns what will come of it.

        Playwright runs an event loop in the thread of the test, and another one may not run there.
        """

        async def main() -> Any:
            with (self.home / "assistant.log").open("a") as log:
                async with connected(self.home, name, log, mode="auto") as assistant:
                    await assistant.call("initialize_session", project_dir=str(self.folder))
                    return await work(assistant)

        return self._threads.submit(lambda: asyncio.run(main()))

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
            yield LiveSite(site, top / "home", top / "shop")
            site.end()
    shutil.rmtree(top, ignore_errors=True)
