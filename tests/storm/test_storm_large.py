"""Work of 100 MiB goes in through every entry point without the server holding it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bench.context import Bench
from tests.bench.uploads import uploads

pytestmark = [pytest.mark.storm, pytest.mark.timeout(300)]


def test_a_hundred_mebibytes_are_stored_in_constant_memory(home: Path, tell: Callable[[str], None]) -> None:
    """The bytes are compared by their sha256 on the way; what it takes in time is not asserted."""
    figures = list(uploads(Bench(home, quick=False)))
    memory = {figure.what: figure for figure in figures if "memory" in figure.what}
    assert len(memory) == 3
    assert [what for what, figure in memory.items() if not figure.met] == []
    tell("; ".join(f"{figure.what}: {figure.value:.2f} {figure.unit}" for figure in figures))
