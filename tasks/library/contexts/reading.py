"""Contexts in the files of a project: `.task_orchestrator/contexts/<specialist>/*.md`, those for all in `all/`.

A file is Markdown, below front matter where it needs some: `when` with `paths` and `words`, `expires`, `learned_from`.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, date, datetime, time
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from orchestrator_site.kernel.folders import Folder, InTheWay, entered
from orchestrator_site.kernel.text import unstorable
from orchestrator_site.kernel.text_files import Bounds, text_files
from orchestrator_site.kernel.yaml_nodes import Broken, compose
from tasks.library.contexts.choosing import Entry
from tasks.roles import NAME

FOLDER = PurePosixPath(".task_orchestrator/contexts")
FOR_ALL = "all"
BOUNDS = Bounds(file=16 * 1024, all_files=256 * 1024, files=50, names=1000)
FOLDERS_LIMIT = 50
ITEMS_LIMIT, ITEM_LIMIT = 20, 200
"""Of `paths`, `words` and `learned_from`: how many, and how long each."""
_HEAD_LIMIT = 4_000
_YEARS = range(2000, 9999)
"""With a day more on either side: pages show times in any zone."""
_KEYS = ("when", "expires", "learned_from")
_WHEN = ("paths", "words")


class _Wrong(Exception):
    """What is wrong with a file, in words."""


def read(root: str, specialists: Iterable[str]) -> tuple[list[Entry], list[str]]:
    """Return the contexts that files hold for some specialists (empty: for all), and a line for each broken file."""
    entries: list[Entry] = []
    problems: list[str] = []
    for folder in dict.fromkeys(specialist or FOR_ALL for specialist in specialists):
        for file in text_files(root, FOLDER / folder, "*.md", BOUNDS):
            made = file.problem or _parsed(file.text, file=file.file, specialist="" if folder == FOR_ALL else folder)
            if isinstance(made, Entry):
                entries.append(made)
            else:
                problems.append(made)
    return entries, problems


def specialists_in(root: str) -> list[str]:
    """Return the specialists that have a folder, the empty name for all."""
    if not root:
        return []
    try:
        with closing(Folder.at(Path(root))) as top, entered(top, FOLDER.parts) as folder:
            names = [name for name in folder.names(BOUNDS.names) if NAME.fullmatch(name)]
    except (OSError, InTheWay):
        return []
    return sorted("" if name == FOR_ALL else name for name in names)[:FOLDERS_LIMIT]


def parse(text: str, *, file: str, specialist: str) -> Entry | str:
    """Read a context from a file; what is wrong with it otherwise."""
    try:
        head, body = _parted(text)
        facts = _facts(head) if head else {}
        if not body.strip() or unstorable(body):
            raise _Wrong("has no text that can be used")
    except _Wrong as error:
        return f"{file}: {error}; the file is not used"
    return Entry(key=file, name=PurePosixPath(file).stem, specialist=specialist, text=body.strip(), **facts)


_parsed = lru_cache(maxsize=4 * BOUNDS.files)(parse)
"""A file is read for every brief, but parsed once per change."""


def _parted(text: str) -> tuple[str, str]:
    lines = text.splitlines()
    if not lines or lines[0].rstrip() != "---":
        return "", text
    end = next((number for number, line in enumerate(lines[1:], 1) if line.rstrip() == "---"), 0)
    head = "\n".join(lines[1:end])
    if not end or len(head) > _HEAD_LIMIT:
        raise _Wrong(f"line 1: the front matter does not end with --- within {_HEAD_LIMIT:,} characters")
    return head, "\n".join(lines[end + 1 :])


def _facts(head: str) -> dict[str, Any]:
    try:
        given = _mapping(compose(f"---\n{head}").as_data(), "the front matter", _KEYS)
    except Broken as error:
        raise _Wrong(f"line {error.line}: {error.why}") from error
    when = _mapping(given.get("when"), "when", _WHEN)
    return {
        "paths": _strings(when, "paths"),
        "words": _strings(when, "words"),
        "sources": _strings(given, "learned_from"),
        "expires_at": _end_of(given.get("expires")),
    }


def _mapping(value: Any, what: str, allowed: tuple[str, ...]) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not value.keys() <= set(allowed):
        raise _Wrong(f"{what} may have: {', '.join(allowed)}")
    return value


def _strings(given: dict[str, Any], name: str) -> tuple[str, ...]:
    value = given.get(name) or []
    is_right = isinstance(value, list) and len(value) <= ITEMS_LIMIT
    if not is_right or not all(isinstance(each, str) and 0 < len(each) <= ITEM_LIMIT for each in value):
        raise _Wrong(f"{name} must be a list of up to {ITEMS_LIMIT} strings of up to {ITEM_LIMIT} characters")
    return tuple(value)


def _end_of(day: Any) -> datetime | None:
    if day is None:
        return None
    try:
        ends = datetime.combine(date.fromisoformat(day), time.max, tzinfo=UTC)
    except (TypeError, ValueError):
        ends = datetime.max.replace(tzinfo=UTC)
    if ends.year not in _YEARS:
        raise _Wrong("expires must be a date, such as 2030-01-31")
    return ends
