"""A running site, which serves the assistants of its data folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.homes import make_home
from tests.mcp.stdio_client import environment
from tests.site.processes import Site, start


@contextmanager
def serving(home: Path, *, folder: Path | None = None, trial: bool = True, **environ: str) -> Iterator[Site]:
    """Start a site and wait until it serves; it writes into a folder beside its data, or another one."""
    if not home.exists():
        make_home(home)
    with start(folder or home.parent / "site", environ=environment(home, trial=trial) | environ) as site:
        site.wait_until_greeted()
        yield site
