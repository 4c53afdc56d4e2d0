"""Pipes that carry large lines."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from orchestrator_site.mcp.stdio.framing import widen


def test_a_widened_pipe_holds_a_large_line() -> None:
    reader, writer = os.pipe()
    widen(writer)
    os.set_blocking(writer, False)
    assert os.write(writer, b"x" * 2**20) == 2**20
    os.close(reader)
    os.close(writer)


def test_files_and_pipes_above_the_limit_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "input").open("wb") as file:
        widen(file.fileno())
    reader, writer = os.pipe()
    monkeypatch.setattr("orchestrator_site.mcp.stdio.framing._PIPE_BYTES", 2**40)
    widen(writer)
    assert fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ) < 2**40
    os.close(reader)
    os.close(writer)
