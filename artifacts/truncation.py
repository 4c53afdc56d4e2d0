"""Plain facts of a delivered text that may mean that it was cut off on its way.

Nothing is guessed or scored and nothing is refused: each warning is a fact that whoever delivered can check. A rule
that would often be wrong about whole works is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from pathlib import PurePosixPath

from artifacts.models import Kind, Upload, UploadState
from artifacts.storage import staging
from orchestrator_site.kernel.errors import Conflict, Transient
from orchestrator_site.kernel.text import shortened

QUOTED = 40
"""How many of the last characters a warning repeats."""
SHOWN, SHOWN_BYTES = 6, 450
"""Warnings in one answer, which may be about a hundred files, and their bytes where there are several."""
MEASURED_BYTES = 4 * 1024 * 1024
"""Bytes up to which work that arrived in parts is measured."""
FAR_SHORTER = 0.75
"""Below what share of the announced size a text is far shorter."""
SCANNED_CODE = 1024 * 1024
"""Characters of code up to which its brackets are paired."""
SCANNED_TWICE = 8 * 1024 * 1024
"""Characters up to which the rest of a line is read again, all lines together: long ones may be meant to be slow."""

_MARKDOWN = {"md", "markdown", "mdx", "qmd"}
_PYTHON = {"py", "pyi"}
_BRACED = {"c", "h", "cc", "cpp", "hpp", "cs", "dart", "go", "java", "js", "json", "jsx", "kt", "mjs", "scala"}
_BRACED |= {"swift", "ts", "tsx"}
_EXCERPTS = {"diff", "patch", "log", "out"}
"""Files that end anywhere."""
_MARKER = r"[ \t]*(?:(?:>|[-*+]|\d{1,9}[.)])[ \t]+)*"
_FENCE = re.compile(rf"^{_MARKER}(?P<fence>`{{3,}}(?=[^`\n]*$)|~{{3,}})(?P<rest>[^\n]*)$", re.MULTILINE)
_STRINGS = r""""(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'"""
_TRIPLE = r'"""(?:[^"\\]|\\.|"(?!""))*(?:"""|(?P<open1>\Z))|' + r"'''(?:[^'\\]|\\.|'(?!''))*(?:'''|(?P<open2>\Z))"
_COMMENT = r"/\*(?:[^*]|\*(?!/))*(?:\*/|(?P<open1>\Z))"
_TEMPLATE = r"`(?:[^`\\]|\\.)*(?:`|(?P<open2>\Z))"
_REGEX = r"(?<=[=(,:;!&|?\[{}])[ ]*/(?![*/])(?:[^/\\\n\[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/"
_BRACKETS = r"\\.|(?P<bracket>[()\[\]{}])"
_IN_PYTHON = re.compile(rf"{_TRIPLE}|#[^\n]*|{_STRINGS}|{_BRACKETS}", re.DOTALL)
_IN_BRACED = re.compile(rf"{_COMMENT}|//[^\n]*|{_REGEX}|{_TEMPLATE}|{_STRINGS}|{_BRACKETS}", re.DOTALL)
_TO_THE_LINES_END = re.compile(r"[=(,:;!&|?\[{}][ ]*/|url\(")
"""What may be read to the end of its line in vain, once for each that stands there."""
_IN_STYLES = re.compile(rf"{_COMMENT}|url\([^)\n]*\)|{_STRINGS}|{_BRACKETS}", re.DOTALL)
_PATTERNS = dict.fromkeys(_PYTHON, _IN_PYTHON) | dict.fromkeys(_BRACED, _IN_BRACED) | {"css": _IN_STYLES}
_PAIRS = {")": "(", "]": "[", "}": "{"}
_PREPROCESSOR = re.compile(r"^[ \t]*#[ \t]*if", re.MULTILINE)
_NO_PROSE = re.compile(r"[ \t]*(?:#|\||```|~~~|<|\[[^\]]+\]:| {4}|\t)")
_ITEM = re.compile(r"[ \t>]*(?:[-*+]|\d{1,9}[.)])[ \t]")
_SENTENCE_END = re.compile("[.!?\u2026][\"'\u201d\u2019)*_`\\]]*\\s|[\u3002\uff01\uff1f]")
_ENDED = re.compile("[.!?\u2026:;\u3002\uff01\uff1f\u061f\u0964\u06d4][\"'\u201d\u2019\u00bb)*_`\\]]*$")


def warnings_of(
    text: str | None,
    *,
    kind: str = Kind.GENERAL,
    paths: Sequence[str] = (),
    uploads: Iterable[Upload] = (),
    expected_size: int | None = None,
) -> list[str]:
    """Return what is odd about a delivery: of its text, or of each of its works that arrived in parts, with its name.

    `expected_size` is how many bytes the text was announced to have; of uploads the commit checks it.

    Call it before the delivery, and outside any transaction: it reads what is staged.
    """
    found = [text and _shorter(text, expected_size), text and warning_of(text, kind=kind, paths=paths)]
    found += [_of_upload(upload, kind) for upload in uploads]
    facts = [fact for fact in found if fact]
    shown = _first(facts)
    return facts if len(shown) == len(facts) else [*shown, f"There are {len(facts) - len(shown):,} more like these."]


def _first(facts: list[str]) -> list[str]:
    ends = accumulate(len(fact.encode()) for fact in facts[:SHOWN])
    return facts[: max(1, sum(end <= SHOWN_BYTES for end in ends))]


def _shorter(text: str, expected_size: int | None) -> str | None:
    """Name a text that is far shorter than announced; those who count characters instead of bytes are not far off."""
    if expected_size is None or len(text) >= FAR_SHORTER * expected_size:
        return None
    size = len(text.encode())
    return f"{size:,} of {expected_size:,} announced bytes arrived." if size < FAR_SHORTER * expected_size else None


def _of_upload(upload: Upload, kind: str) -> str | None:
    if upload.state != UploadState.OPEN or upload.received > MEASURED_BYTES:
        return None
    try:
        text = b"".join(staging.chunks(upload.public_id, upload.received)).decode()
    except (
        UnicodeDecodeError,
        Conflict,
        Transient,
    ):  # no text, delivered by another call meanwhile, or not to be read now
        return None
    fact = warning_of(text, kind=kind if upload.kind == Kind.GENERAL else upload.kind, paths=upload.paths)
    return fact and f"{shortened(upload.paths[0] if upload.paths else upload.public_id, 80)}: {fact}"


def warning_of(text: str, *, kind: str = Kind.GENERAL, paths: Sequence[str] = ()) -> str | None:
    """Return what is odd about the end of a text, in one sentence; mostly nothing is."""
    suffix = PurePosixPath(paths[0]).suffix.lstrip(".").lower() if paths else ""
    if not paths and kind == Kind.CODE:
        return _open_fence(text) or _open_end(text, suffix)
    if not paths or suffix in _MARKDOWN:
        return _open_fence(text) or _open_sentence(text)
    if suffix == "txt":
        return _open_sentence(text)
    if suffix not in _EXCERPTS:
        return _open_end(text, suffix) or _open_bracket(text, suffix)
    return None


def _open_fence(text: str) -> str | None:
    """Name the code block of a Markdown text that is never closed; one that begins with the last line holds nothing."""
    if "```" not in text and "~~~" not in text:
        return None
    fence, begin = "", 0
    for found in _FENCE.finditer(text):
        if not fence:
            fence, begin = found["fence"], found.start()
        elif found["fence"].startswith(fence) and not found["rest"].strip():
            fence = ""
    if not fence or not text[begin:].strip().partition("\n")[2]:
        return None
    return f"The code block that begins in line {text.count(chr(10), 0, begin) + 1:,} is not closed."


def _open_sentence(text: str) -> str | None:
    """Name the end of a text in the middle of a sentence, where its other sentences have an end."""
    if text.endswith("\n") or not text.strip() or _ENDED.search(text[-400:].rstrip()):
        return None
    *before, last = _blocks(text)
    if _NO_PROSE.match(last):
        return None
    if last.endswith((",", "(", "[", "{")):
        return f"The text ends with {last[-1]!r}: {_end(text)}"
    words = _SENTENCE_END.split(last)[-1].split()
    if len(words) < 4 or not words[-1].replace("-", "").isalpha() or not _others_end(before, last):
        return None
    return f"The text ends in the middle of a sentence: {_end(text)}"


def _blocks(text: str) -> list[str]:
    """Return the paragraphs and list items of a text, its last ones only."""
    blocks: list[str] = []
    for line in text[-20_000:].strip().split("\n"):
        if blocks and blocks[-1] and line.strip() and not _NO_PROSE.match(line) and not _ITEM.match(line):
            blocks[-1] += "\n" + line
        else:
            blocks.append(line.rstrip())
    return [block for block in blocks if block.strip()] or [""]


def _others_end(blocks: list[str], last: str) -> bool:
    """Whether there are several sentences before, and each paragraph, or each item of lists, closes its last one."""
    alike = [block for block in blocks if bool(_ITEM.match(block)) == bool(_ITEM.match(last))]
    alike = [block for block in alike if not _NO_PROSE.match(block) and len(block.split()) >= 4]
    several = len(alike) + len(_SENTENCE_END.findall(last)) >= 3
    return several and all(_ENDED.search(block) for block in alike)


def _open_end(text: str, suffix: str) -> str | None:
    """Name a last character of code after which something must follow."""
    last = text.rstrip()
    never_last = "([{"
    if suffix in _PYTHON | _BRACED:
        never_last += ",="
    if suffix in _PYTHON:
        never_last += ":\\"
    line = last.rsplit("\n", 1)[-1]
    if not last or last[-1] not in never_last or re.search(r"//|/\*|\*|#|<!--|^\s*;", line):
        return None
    return f"The code ends with {last[-1]!r}: {_end(last)}"


def _open_bracket(text: str, suffix: str) -> str | None:
    """Name the last bracket that is never closed, unless some closed without being opened: then we misread it."""
    if len(text) > SCANNED_CODE or suffix not in _PATTERNS or _PREPROCESSOR.search(text) or _is_slow(text):
        return None
    opened: list[tuple[str, int]] = []
    for sign, place in _signs(text, _PATTERNS[suffix]):
        if sign not in _PAIRS:
            opened.append((sign, place))
        elif not opened or opened.pop()[0] != _PAIRS[sign]:
            return None
    if not opened:
        return None
    sign, place = opened[-1]
    what = "string or comment" if sign == "open" else repr(sign)
    return f"The {what} in line {text.count(chr(10), 0, place) + 1:,} is not closed."


def _is_slow(text: str) -> bool:
    lines = text.replace("\\\n", "").split("\n")  # a line goes on behind a backslash
    return sum(len(line) * len(_TO_THE_LINES_END.findall(line)) for line in lines) > SCANNED_TWICE


def _signs(text: str, pattern: re.Pattern[str]) -> Iterator[tuple[str, int]]:
    """Yield the brackets outside strings and comments, and `open` for one of those that never ends."""
    for found in pattern.finditer(text):
        if found.lastgroup:
            yield found["bracket"] or "open", found.start()


def _end(text: str) -> str:
    shown = "".join(char if char.isprintable() else " " for char in text[-QUOTED:])
    return "\u2026" + " ".join(shown.split())
