"""Warnings about a delivered text that may have been cut off on its way.

Nothing is scored and nothing is rejected: each warning is a fact that can be checked. A rule that would often be wrong
about complete texts is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import accumulate
from pathlib import PurePosixPath

from artifacts.models import Kind, Upload, UploadState
from artifacts.storage import staging
from orchestrator_site.kernel.errors import Conflict, ServerFault
from orchestrator_site.kernel.text import shortened

QUOTED = 40
"""How many of the last characters a warning repeats."""
SHOWN, SHOWN_BYTES = 6, 450
"""Warnings in one response, which may be about a hundred files, and their bytes where there are several."""
MEASURED_BYTES = 4 * 1024 * 1024
"""Uploads up to this size are measured."""
FAR_SHORTER = 0.75
"""A text below this share of its announced size is far shorter."""
SCANNED_CODE = 1024 * 1024
"""Characters of code up to which its brackets are paired."""
SCANNED_TWICE = 8 * 1024 * 1024
"""How many characters may be read again in search of the end of a line; long lines may be meant to be slow."""

_MARKDOWN = {"md", "markdown", "mdx", "qmd"}
_PYTHON = {"py", "pyi"}
_BRACED = {"c", "h", "cc", "cpp", "hpp", "cs", "dart", "go", "java", "js", "json", "jsx", "kt", "mjs", "scala"}
_BRACED |= {"swift", "ts", "tsx"}
_EXCERPTS = {"diff", "patch", "log", "out"}
"""Files that may end anywhere."""
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
"""What starts a search for the end of something in its line."""
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
    """Return warnings about a text, and about each upload with its name.

    `expected_size` is the announced number of bytes of the text; of uploads the commit checks it. Call it before the
    delivery, and outside any transaction, since it reads what is staged.
    """
    found = [text and _shorter(text, expected_size), text and warning_of(text, kind=kind, paths=paths)]
    facts = [fact for fact in [*found, *(_of_upload(upload, kind) for upload in uploads)] if fact]
    fitting = sum(end <= SHOWN_BYTES for end in accumulate(len(fact.encode()) for fact in facts[:SHOWN]))
    shown = facts[: max(1, fitting)]
    return facts if len(shown) == len(facts) else [*shown, f"There are {len(facts) - len(shown):,} more like these."]


def _shorter(text: str, expected_size: int | None) -> str | None:
    """Report a text that is far shorter than announced; one that was counted in characters is not far off."""
    if expected_size is None or len(text) >= FAR_SHORTER * expected_size:
        return None
    size = len(text.encode())
    return f"{size:,} of {expected_size:,} announced bytes arrived." if size < FAR_SHORTER * expected_size else None


def _of_upload(upload: Upload, kind: str) -> str | None:
    if upload.state != UploadState.OPEN or upload.received > MEASURED_BYTES:
        return None
    try:
        text = b"".join(staging.chunks(upload.public_id, upload.received)).decode()
    except (UnicodeDecodeError, Conflict, ServerFault):  # binary, just delivered by another call, or unreadable
        return None
    fact = warning_of(text, kind=kind if upload.kind == Kind.GENERAL else upload.kind, paths=upload.paths)
    return fact and f"{shortened(upload.paths[0] if upload.paths else upload.public_id, 80)}: {fact}"


def warning_of(text: str, *, kind: str = Kind.GENERAL, paths: Sequence[str] = ()) -> str | None:
    """Return a warning about the end of a text; None where it looks complete."""
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
    """Report a Markdown code block that is never closed, unless it begins with the last line."""
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
    """Report a text that ends in the middle of a sentence, where its other sentences are complete."""
    if text.endswith("\n") or not text.strip() or _ENDED.search(text[-400:].rstrip()):
        return None
    *before, last = _blocks(text)
    if _NO_PROSE.match(last):
        return None
    if last.endswith((",", "(", "[", "{")):
        return f"The text ends with {last[-1]!r}: {_end(text)}"
    words = _SENTENCE_END.split(last)[-1].split()
    if len(words) < 4 or not words[-1].replace("-", "").isalpha():
        return None
    # Only where there are several sentences, and each paragraph, or each item of lists, ends with the end of one.
    alike = [block for block in before if bool(_ITEM.match(block)) == bool(_ITEM.match(last))]
    alike = [block for block in alike if not _NO_PROSE.match(block) and len(block.split()) >= 4]
    if len(alike) + len(_SENTENCE_END.findall(last)) < 3 or not all(_ENDED.search(block) for block in alike):
        return None
    return f"The text ends in the middle of a sentence: {_end(text)}"


def _blocks(text: str) -> list[str]:
    blocks: list[str] = []
    for line in text[-20_000:].strip().split("\n"):
        if blocks and blocks[-1] and line.strip() and not _NO_PROSE.match(line) and not _ITEM.match(line):
            blocks[-1] += "\n" + line
        else:
            blocks.append(line.rstrip())
    return [block for block in blocks if block.strip()] or [""]


def _open_end(text: str, suffix: str) -> str | None:
    """Report code that ends with a character after which something must follow."""
    last = text.rstrip()
    never_last = "([{" + ",=" * (suffix in _PYTHON | _BRACED) + ":\\" * (suffix in _PYTHON)
    line = last.rsplit("\n", 1)[-1]
    if not last or last[-1] not in never_last or re.search(r"//|/\*|\*|#|<!--|^\s*;", line):
        return None
    return f"The code ends with {last[-1]!r}: {_end(last)}"


def _open_bracket(text: str, suffix: str) -> str | None:
    """Report the last bracket that is never closed, unless one is closed without being opened: then we misread it."""
    if len(text) > SCANNED_CODE or suffix not in _PATTERNS or _PREPROCESSOR.search(text) or _is_slow(text):
        return None
    opened: list[tuple[str, int]] = []
    for found in _PATTERNS[suffix].finditer(text):
        sign = found.lastgroup and (found["bracket"] or "open")  # brackets, and strings and comments that never end
        if sign in _PAIRS:
            if not opened or opened.pop()[0] != _PAIRS[sign]:
                return None
        elif sign:
            opened.append((sign, found.start()))
    if not opened:
        return None
    sign, place = opened[-1]
    what = "string or comment" if sign == "open" else repr(sign)
    return f"The {what} in line {text.count(chr(10), 0, place) + 1:,} is not closed."


def _is_slow(text: str) -> bool:
    lines = text.replace("\\\n", "").split("\n")  # a backslash continues a line
    return sum(len(line) * len(_TO_THE_LINES_END.findall(line)) for line in lines) > SCANNED_TWICE


def _end(text: str) -> str:
    shown = "".join(char if char.isprintable() else " " for char in text[-QUOTED:])
    return "\u2026" + " ".join(shown.split())
