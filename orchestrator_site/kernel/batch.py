"""Rows of one transaction, gathered and written by one statement."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Generic, TypeVar

Row = TypeVar("Row")


class Batch(Generic[Row]):
    """Hands rows to `write`: at once, or all rows of a `together` block at its end."""

    def __init__(self, write: Callable[[list[Row]], None]) -> None:
        self._write = write
        self._gathered: ContextVar[list[Row] | None] = ContextVar("gathered", default=None)

    def add(self, rows: Iterable[Row]) -> None:
        if (gathered := self._gathered.get()) is None:
            self._write(list(rows))
        else:
            gathered.extend(rows)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Gather until the end of the block, which lies inside the transaction; write nothing where it fails."""
        if self._gathered.get() is not None:
            yield  # a part of a larger block
            return
        rows: list[Row] = []
        token = self._gathered.set(rows)
        try:
            yield
        finally:
            self._gathered.reset(token)
        if rows:
            self._write(rows)
