"""A reader that knows nothing but the text of a handover, and answers from it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import sha256


@dataclass(slots=True)
class Said:
    """A line that introduces quoted words, and the words."""

    line: str
    words: str


@dataclass(slots=True)
class Handover:
    """The parts of a handover by their numbers, each as lines with the words below them."""

    head: dict[str, str]
    digest_is_right: bool
    parts: dict[int, list[Said]] = field(default_factory=dict)

    def lines(self, part: int) -> list[str]:
        return [said.line for said in self.parts[part]]

    def matching(self, part: int, pattern: str) -> list[re.Match[str]]:
        return [found for line in self.lines(part) if (found := re.fullmatch(pattern, line))]

    def words(self, part: int, begin: str) -> list[str]:
        return [said.words for said in self.parts[part] if said.line.startswith(begin)]


def read(text: str) -> Handover:
    head, _, body = text.partition("\n\n")
    facts = dict(line[2:].split(": ", 1) for line in head.splitlines() if line.startswith("- "))
    digest = facts["sha256 below this head"]
    found = Handover(facts, digest == sha256(body.encode()).hexdigest())
    part = 0
    for line in body.splitlines():
        if title := re.fullmatch(r"## (\d+)\. .*", line):
            part = int(title[1])
            found.parts[part] = []
        elif line.startswith("- "):
            found.parts[part].append(Said(line[2:], ""))
        elif line.startswith(">"):
            said = found.parts[part][-1]
            said.words += ("\n" if said.words else "") + line[2:]
    return found
