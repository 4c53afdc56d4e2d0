"""Connections to real servers, each with a data folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.homes import make_home
from tests.mcp.stdio_client import StdioClient, connected


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return make_home(tmp_path / "home")


@pytest.fixture
def client(home: Path) -> Iterator[StdioClient]:
    with connected(home) as client:
        yield client


@pytest.fixture
def modern_client(home: Path) -> Iterator[StdioClient]:
    with connected(home, modern=True) as client:
        yield client
