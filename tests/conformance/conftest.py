"""Servers for the suite and the Inspector."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conformance import programs
from tests.homes import make_home
from tests.site.processes import start

Program = Callable[..., programs.Ended]


@pytest.fixture(scope="session", autouse=True)
def installed() -> None:
    """Require the programs that `install.sh` installs from the network."""
    assert not programs.missing(), f"Run {programs.INSTALL} first."


@pytest.fixture
def suite(tmp_path: Path) -> Program:
    """The command of the conformance suite for servers."""
    return lambda *words: programs.run("conformance", "server", *words, folder=tmp_path)


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the product."""
    with _served("product", tmp_path_factory.mktemp("product")) as address:
        yield address


@pytest.fixture(scope="session")
def fixtures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the product with the fixtures of the suite."""
    with _served("fixtures", tmp_path_factory.mktemp("fixtures")) as address:
        yield address


@contextmanager
def _served(what: str, folder: Path) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORCHESTRATOR_HOME", str(make_home(folder / "home")))
        patch.setenv("DJANGO_SETTINGS_MODULE", "tests.conformance.settings")
        patch.setenv("CONFORMANCE_SERVES", what)
        patch.delenv("DATABASE_URL", raising=False)
        with start(folder) as site:
            site.wait_until_greeted()
            yield f"{site.address}/mcp"
