"""Assistants for the tests of the tools."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.assistants import Assistant


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a user's project."""
    path = tmp_path / "shop"
    path.mkdir()
    return path


@pytest.fixture
def ada(db: None, folder: Path) -> Assistant:
    """An assistant at work in the project."""
    assistant = Assistant(folder)
    assistant.call("initialize_session")
    return assistant


@pytest.fixture
def bob(ada: Assistant) -> Assistant:
    """Another one in the same project."""
    assistant = Assistant(ada.folder)
    assistant.call("initialize_session")
    return assistant
