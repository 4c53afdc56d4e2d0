"""Reads the logs of a run by cursor, and what may be shown of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from io import FileIO

from tasks.agents.processes.folder import opened
from tasks.agents.processes.model import MIB, Lines, Log, Process
from tasks.agents.processes.watching import wait

LONGEST_LINE = MIB
_SHORTEST_SECRET = 8


def read(process: Process, offset: int, *, limit: int = MIB, log: Log = Log.EVENTS) -> Lines:
    """Return lines from a byte offset, about `limit` bytes of them, and at least one where there is one.

    A last line without its end counts only once the agent has exited.
    """
    is_complete = wait(process, seconds=0) is not None  # asked before the log is read
    with opened(process, log) as file:
        file.seek(offset)
        raw = file.read(limit)
        size = raw.rfind(b"\n") + 1
        if raw and not size:
            raw, size = _long_line(file, raw, is_complete=is_complete)
        elif is_complete and len(raw) < limit:
            size = len(raw)
    lines = raw[:size].removesuffix(b"\n").split(b"\n") if size else []
    return Lines(tuple(line[:LONGEST_LINE] for line in lines), offset + size, at_end=len(raw) < limit or not size)


def _long_line(file: FileIO, start: bytes, *, is_complete: bool) -> tuple[bytes, int]:
    """Return the line, cut, and its size in the log; a size of 0 where its end is not yet there."""
    line, size = start, len(start)
    while chunk := file.read(MIB):
        end = chunk.find(b"\n") + 1
        line += chunk[: min(end or MIB, max(0, LONGEST_LINE - len(line)))]
        size += end or len(chunk)
        if end:
            return line, size
    return line, size if is_complete else 0


def redact(text: str, secrets: Iterable[str]) -> str:
    """Replace known secrets of at least eight characters, also as JSON writes them."""
    known = {secret for secret in secrets if len(secret) >= _SHORTEST_SECRET}
    forms = known | {json.dumps(secret)[1:-1] for secret in known}
    if not forms:
        return text
    longest_first = sorted(forms, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, longest_first)), "[secret]", text)
