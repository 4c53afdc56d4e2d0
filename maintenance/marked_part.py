"""Our part of a file that people may edit: it lies between two markers, and the first one carries its hash."""

from __future__ import annotations

import hashlib
import re
from enum import Enum

_BEGIN = re.compile(rb"^<!-- orchestrator:begin(?: sha256=([0-9a-f]{64}))? -->\r?$", re.MULTILINE)
_END = re.compile(rb"^<!-- orchestrator:end -->\r?$", re.MULTILINE)


class State(Enum):
    """How a file is. Only a part that is as we wrote it is replaced, and an empty one without a hash."""

    OURS = "as written"
    EDITED = "edited by hand"
    FOREIGN = "without our markers"
    BROKEN = "with markers that are missing, double or nested"


def state_of(content: bytes) -> State:
    begins, ends = list(_BEGIN.finditer(content)), list(_END.finditer(content))
    if not begins and not ends:
        return State.FOREIGN
    if len(begins) != 1 or len(ends) != 1 or begins[0].end() > ends[0].start():
        return State.BROKEN
    body = _body(content)
    if begins[0][1] is None:
        return State.EDITED if body.strip() else State.OURS
    return State.OURS if _sha256(body).encode() == begins[0][1] else State.EDITED


def text_of(content: bytes) -> str:
    """Return the part of a file that is ours, or was."""
    return _body(content).decode(errors="replace")


def with_part(content: bytes | None, text: str) -> bytes:
    """Return a file with this text as its part, everything else byte by byte as it was; a new one for None.

    The file must be ours. Where its marker ends in CR LF, so do the lines of the part.
    """
    body = text.encode()
    begin = f"<!-- orchestrator:begin sha256={_sha256(body)} -->\n".encode()
    if content is None:
        return begin + body + b"<!-- orchestrator:end -->\n"
    first, last = _BEGIN.search(content), _END.search(content)
    if first is None or last is None:
        raise ValueError("The file has no part of ours.")
    part = begin + body
    if first[0].endswith(b"\r"):
        part = part.replace(b"\n", b"\r\n")
    return content[: first.start()] + part + content[last.start() :]


def _body(content: bytes) -> bytes:
    first, last = _BEGIN.search(content), _END.search(content)
    if first is None or last is None:
        return b""
    return content[first.end() + 1 : last.start()].replace(b"\r\n", b"\n")


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
