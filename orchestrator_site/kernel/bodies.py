"""What a JSON body may cost, decided before it is parsed. The one rule for MCP, over HTTP and pipes, and REST.

Standard library only: the proxy of the pipe uses it too. A list costs a hundred times the bytes that it is sent in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from threading import BoundedSemaphore

TYPE_CHECKING = False  # as `typing` has it, whose import costs the proxy a tenth of its start
if TYPE_CHECKING:
    from typing import Any

UNKNOWN_BODY = 64 * 1024
"""Bytes of a body without credentials; as many are held for every connection."""
SMALL_BODY = 1024 * 1024
"""Bytes of a body, unless its call needs more."""
LARGE_BODY = 32 * 1024 * 1024
"""Bytes of the largest plan, or of a delivery with every second character escaped."""
VALUES_LIMIT = 250_000
"""Values in a body, twice those of the largest plan."""
OBJECTS_LIMIT = 10_000
"""JSON objects in a body, several times those of the largest plan: they cost more to check than to send."""
DEPTH_LIMIT = 1_000
LARGE_AT_ONCE = 2
"""Large bodies that a process reads and handles at once; further ones wait."""
LARGE_WAIT_SECONDS = 30.0
LARGE_CALLS = frozenset(f"orchestrator_{name}" for name in ("plan_task", "complete_subtask", "store_artifact"))
"""The tools whose calls may have a large body."""

large = BoundedSemaphore(LARGE_AT_ONCE)
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_BESIDES_BRACKETS = bytes(set(range(256)) - set(_STEP))


class Excess(Exception):
    """A body costs too much; `limit` is its name and value, for the details of an error."""

    def __init__(self, what: str, **limit: int) -> None:
        super().__init__(what)
        self.limit = limit


class NotUtf8(ValueError):
    """A body holds a NUL byte, as JSON in UTF-16 or UTF-32 does: its structure could not be counted."""


def check_cost(raw: bytes, limit: int = LARGE_BODY) -> None:
    """Check the bytes, values, objects and depth of a body without parsing it. Raises Excess, NotUtf8."""
    if len(raw) > limit:
        raise Excess(f"more than {limit:,} bytes", limit_bytes=limit)
    if b"\x00" in raw:
        raise NotUtf8(f"byte {raw.index(0)} is NUL")
    if _commas_and_brackets(raw) > VALUES_LIMIT or _brackets(raw) > DEPTH_LIMIT:
        _check_depth(count_structure(raw, Counter()))


def count_structure(raw: bytes, counts: Counter[str]) -> bytes:
    """Add the values and objects of a JSON text to counts, and return it without its strings. Raises Excess."""
    outside = _without_strings(raw)
    counts.update(values=_commas_and_brackets(outside), objects=outside.count(b"{"))
    if counts["values"] > VALUES_LIMIT:
        raise _TOO_MANY
    if counts["objects"] > OBJECTS_LIMIT:
        raise Excess(f"more than {OBJECTS_LIMIT:,} objects", limit_objects=OBJECTS_LIMIT)
    return outside


def check_size(raw: bytes, body: Any) -> None:
    """Check that a message that is not small calls a tool that may need it. Raises Excess."""
    params = body.get("params") if isinstance(body, dict) else None
    name = params.get("name") if isinstance(params, dict) else None
    if len(raw) > SMALL_BODY and not (isinstance(name, str) and name in LARGE_CALLS):
        raise Excess(f"more than {SMALL_BODY:,} bytes", limit_bytes=SMALL_BODY)


@contextmanager
def one_of_few_large() -> Iterator[bool]:
    """Hold a place for a large body in a thread; False where none was free in time."""
    is_free = large.acquire(timeout=LARGE_WAIT_SECONDS)
    try:
        yield is_free
    finally:
        if is_free:
            large.release()


def _without_strings(raw: bytes) -> bytes:
    plain = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    if plain.count(b'"') > 4 * VALUES_LIMIT:  # each value has a name at most; more would cost memory here
        raise _TOO_MANY
    return b" ".join(plain.split(b'"')[::2])


def _check_depth(outside: bytes) -> None:
    steps = outside.translate(None, delete=_BESIDES_BRACKETS)
    if max(accumulate(map(_STEP.__getitem__, steps)), default=0) > DEPTH_LIMIT:
        raise Excess(f"more than {DEPTH_LIMIT:,} levels", limit_depth=DEPTH_LIMIT)


def _commas_and_brackets(raw: bytes) -> int:
    return _brackets(raw) + raw.count(b",")


def _brackets(raw: bytes) -> int:
    return raw.count(b"[") + raw.count(b"{")


_TOO_MANY = Excess(f"more than {VALUES_LIMIT:,} values", limit_values=VALUES_LIMIT)
