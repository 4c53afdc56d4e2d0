"""Real clients with a real server; each test has its own home, project and model."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.installed import INSTALL, missing
from tests.clients.network import ROOT, Network, offline
from tests.clients.stage import Stage, set_up
from tests.site.processes import manage, start

TOKEN_NAME = "laptop"
NETWORK = pytest.StashKey[str]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.clients)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how far the clients could have reached."""
    if kind := config.stash.get(NETWORK, ""):
        terminalreporter.section("clients")
        terminalreporter.write_line(f"The clients' network was {kind}.")


@pytest.fixture
def network(request: pytest.FixtureRequest) -> Iterator[Network]:
    """The network in which everything that a test starts runs."""
    with offline() as found:
        request.config.stash[NETWORK] = found.kind
        yield found


@pytest.fixture(scope="session")
def clients() -> None:
    """Leave out what needs the clients where they are not installed; CI may leave nothing out."""
    if names := missing():
        reason = f"{', '.join(names)} not installed: run {INSTALL.relative_to(ROOT)}"
        if os.environ.get("CI"):
            pytest.fail(f"CI runs the real clients; {reason}")
        pytest.skip(reason)


@pytest.fixture
def stage(clients: None, tmp_path: Path, network: Network) -> Iterator[Stage]:
    """Everything for a client but its server."""
    with set_up(tmp_path, network) as found:
        yield found


@dataclass(frozen=True, slots=True)
class Board:
    """A site that serves the bridge over HTTP, and a token that opens it."""

    home: Path
    url: str
    token: str


@pytest.fixture
def board(stage: Stage, fresh_home: Path) -> Iterator[Board]:
    """Start the site as users do, in the clients' network, and make a token."""
    with start(stage.folder / "site", through=stage.network.words) as site:
        site.wait_until_greeted()
        made = manage("token", "create", TOKEN_NAME)
        assert made.returncode == 0, made.stderr
        yield Board(fresh_home, f"{site.address}/mcp", made.stdout.strip())
        site.end(signal.SIGTERM)
