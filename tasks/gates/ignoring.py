"""What Git ignores: the rules of one `.gitignore`, matched without a pattern that could take forever.

dulwich has rules too; their regular expressions backtrack, so that a line of a few dozen bytes would stop a server.
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import translate

_RULES_LIMIT = 5_000
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Rule:
    """`parts` match the parts of a path, None any number of them; one alone matches a name in any folder."""

    parts: tuple[re.Pattern[str] | None, ...]
    is_anchored: bool
    is_for_folders: bool
    ignores: bool

    def matches(self, path: Sequence[str], *, is_folder: bool) -> bool:
        """Whether this rule is about a path, given from the folder of the rule on."""
        if self.is_for_folders and not is_folder:
            return False
        if not self.is_anchored:
            only = self.parts[0]
            return only is None or only.match(path[-1]) is not None
        reached = {0}
        for number, part in enumerate(self.parts, start=1):
            if part is None:  # at the end at least one
                first = min(reached) + (number == len(self.parts))
                reached = set(range(first, len(path) + 1))
            else:
                reached = {at + 1 for at in reached if at < len(path) and part.match(path[at])}
            if not reached:
                return False
        return len(path) in reached


def rules_in(content: bytes) -> list[Rule]:
    lines = os.fsdecode(content.removeprefix(codecs.BOM_UTF8)).split("\n")  # as paths are
    return list(_rules(lines[:_RULES_LIMIT]))


def _rules(lines: Sequence[str]) -> Iterator[Rule]:
    for given in lines:
        line = given.removesuffix("\r")
        while line.endswith(" ") and not line.endswith("\\ "):
            line = line[:-1]
        if not line or line.startswith("#"):
            continue
        ignores = not line.startswith("!")
        pattern = line if ignores else line[1:]
        name = pattern.rstrip("/") if pattern.endswith("/") else pattern
        parts = [part for part in name.split("/") if part]
        if parts:
            yield Rule(tuple(map(_part, parts)), "/" in name, pattern.endswith("/"), ignores)


def _part(part: str) -> re.Pattern[str] | None:
    """Return what matches one name. The standard library's translation never backtracks beyond a `*`."""
    if part == "**":
        return None
    return re.compile(translate(_ESCAPED.sub(r"[\1]", part.replace("[^", "[!"))))
