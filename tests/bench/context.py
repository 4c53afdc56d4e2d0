"""What the benchmarks share: the data folder, the boards that were made, and how thorough to be."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import boards
from tests.bench.boards import Board


@dataclass(slots=True)
class Bench:
    """One run."""

    home: Path
    quick: bool = False
    _boards: dict[str, Board] = field(default_factory=dict)

    @property
    def sizes(self) -> tuple[int, int]:
        """How many subtasks a common board has, and a large one."""
        return (1000, 10_000) if self.quick else (1000, 100_000)

    def runs(self, thorough: int) -> int:
        """How often to measure."""
        return max(3, thorough // 10) if self.quick else thorough

    def folder(self, name: str) -> Path:
        """Make the folder of a project that begins empty."""
        folder = self.home.parent / name
        folder.mkdir()
        return folder

    def board(self, size: int, *, held_back: bool = False) -> Board:
        """Return a board, made once."""
        name = f"board-{size}{'-held-back' if held_back else ''}"
        if name not in self._boards:
            self._boards[name] = boards.build(self.home.parent / name, size, held_back=held_back)
        return self._boards[name]
