"""Pipes that carry large lines."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from orchestrator_site.mcp.stdio.framing import widen


def test_a_widened_pipe_takes_a_large_line_before_anybody_reads() -> None:
    reader, writer = os.pipe()
    widen(writer)
    os.set_blocking(writer, False)
    assert os.write(writer, b"x" * 2**20) == 2**20
    os.close(reader)
    os.close(writer)


def test_what_is_no_pipe_or_may_not_be_widened_is_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "input").open("wb") as file:
        widen(file.fileno())
    reader, writer = os.pipe()
    monkeypatch.setattr("orchestrator_site.mcp.stdio.framing._PIPE_BYTES", 2**40)
    widen(writer)
    assert fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ) < 2**40
    os.close(reader)
    os.close(writer)
