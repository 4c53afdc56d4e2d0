"""The files of a unified diff as Git prints it, for the rows of a page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest

from artifacts.rendering.difference import Difference, Hunk, Row, row_of

_FILE, _NO_END = "diff --git ", "\\ No newline at end of file"
_HUNK = re.compile(r"@@ -(\d{1,9})(?:,\d{1,9})? \+(\d{1,9})(?:,\d{1,9})? @@")
_MODE = re.compile(r"(?:new file|new|deleted file) mode (\d{6})|index \S+ (\d{6})")
_ESCAPED = re.compile(r'\\([abfnrtv"\\]|[0-7]{3})')
_SIGNS = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13, '"': 34, "\\": 92}
_LINK, _MODULE = "120000", "160000"


@dataclass(slots=True)
class FilePatch:
    """What became of one file; `notes` are facts that are no lines: that it is binary, a link, was renamed."""

    path: str
    change: str = "modified"
    notes: list[str] = field(default_factory=list)
    hunks: list[Hunk] = field(default_factory=list)
    added: int = 0
    removed: int = 0

    @property
    def parts(self) -> tuple[str, str, str]:
        return self.path.rpartition("/")

    @property
    def difference(self) -> Difference:
        return Difference(self.hunks, self.added, self.removed)


def files_of(text: str) -> list[FilePatch]:
    """Read a diff; what is no part of a file, such as a last line that says where it was cut, is left out."""
    return [_file(part) for part in re.split(f"^{_FILE}", text, flags=re.MULTILINE)[1:]]


def _file(part: str) -> FilePatch:
    lines = part.split("\n")
    start = next((place for place, line in enumerate(lines) if _HUNK.match(line)), len(lines))
    found = FilePatch(_same_name(lines[0]))
    for line in lines[1:start]:
        _read_head(found, line)
    for begin, body in _hunks(lines[start:]):
        hunk = Hunk(list(_rows(begin, body)))
        found.hunks.append(hunk)
    rows = [row for hunk in found.hunks for row in hunk.rows if not row.is_same]
    found.added, found.removed = sum(row.new is not None for row in rows), sum(row.old is not None for row in rows)
    return found


def _same_name(line: str) -> str:
    """Return the path in `a/x b/x`, which names it twice wherever no other line of the head does."""
    half = line[: len(line) // 2]
    return _name(half)


def _name(text: str) -> str:
    """Return a path without `a/` or `b/`; Git quotes unusual ones as C does."""
    text = text.strip().partition("\t")[0]
    if text.startswith('"') and text.endswith('"'):
        raw = _ESCAPED.sub(lambda found: chr(_SIGNS.get(found[1]) or int(found[1], 8)), text[1:-1])
        text = raw.encode("latin-1", errors="replace").decode(errors="replace")
    return text[2:]


def _read_head(found: FilePatch, line: str) -> None:
    word, _, rest = line.partition(" ")
    if word in ("---", "+++") and rest.strip() != "/dev/null":
        found.path = _name(rest)
    elif line.startswith(("rename to ", "copy to ")):
        found.path = _name(f"b/{line.split(' ', 2)[2]}")
    elif line.startswith(("rename from ", "copy from ")):
        found.notes.append(f"{word} from {line.split(' ', 2)[2]}")
    elif line.startswith("Binary files "):
        found.notes.append("binary")
    if line.startswith(("new file mode", "deleted file mode")):
        found.change = "added" if word == "new" else "deleted"
    if mode := _MODE.match(line):
        kind = {_LINK: "symbolic link", _MODULE: "repository within the tree"}.get(mode[1] or mode[2])
        if kind and kind not in found.notes:
            found.notes.append(kind)
    if line.startswith("new mode "):
        found.notes.append(f"mode {rest.rpartition(' ')[2]}")


def _hunks(lines: list[str]) -> Iterator[tuple[tuple[int, int], list[str]]]:
    body: list[str] = []
    begin = None
    for line in lines:
        if head := _HUNK.match(line):
            if begin:
                yield begin, body
            begin, body = (int(head[1]), int(head[2])), []
        elif line[:1] in (" ", "+", "-"):
            body.append(line)
        elif line == _NO_END and body:
            body[-1] += "\0"
    if begin:
        yield begin, body


def _rows(begin: tuple[int, int], body: list[str]) -> Iterator[Row]:
    """Yield the lines of a hunk, each removed one beside the added one that takes its place."""
    old, new = begin
    went: list[str] = []
    came: list[str] = []
    for line in [*body, ""]:
        if line[:1] == "-" and not came:
            went.append(_text(line))
        elif line[:1] == "+":
            came.append(_text(line))
        else:
            yield from _changed(went, came, (old, new))
            old, new = old + len(went), new + len(came)
            went, came = [_text(line)] if line[:1] == "-" else [], []
            if line[:1] == " ":
                yield row_of(_text(line), _text(line), (old, new), is_same=True)
                old, new = old + 1, new + 1


def _changed(went: list[str], came: list[str], begin: tuple[int, int]) -> Iterator[Row]:
    for place, (was, now) in enumerate(zip_longest(went, came)):
        yield row_of(was, now, (begin[0] + place, begin[1] + place), is_same=False)


def _text(line: str) -> str:
    return line[1:-1] if line.endswith("\0") else f"{line[1:]}\n"
