"""Connections to real servers, each with a data folder of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mcp.stdio_client import StdioClient, connected


@pytest.fixture(scope="session")
def migrated_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a data folder whose schema is up to date, once: bringing it there takes as long as a whole test."""
    home = tmp_path_factory.mktemp("migrated") / "home"
    with connected(home) as client:
        client.call("trial_echo")
    return home


@pytest.fixture
def home(tmp_path: Path, migrated_home: Path) -> Path:
    return shutil.copytree(migrated_home, tmp_path / "home")


@pytest.fixture
def client(home: Path) -> Iterator[StdioClient]:
    with connected(home) as client:
        yield client


@pytest.fixture
def modern_client(home: Path) -> Iterator[StdioClient]:
    with connected(home, modern=True) as client:
        yield client
