"""What changed between two lists of lines. Runs in the rendering process, since some texts make it slow."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

Opcode = tuple[str, int, int, int, int]
"""As difflib has it: `equal`, `replace`, `delete` or `insert`, from and to in the old lines, from and to in the new."""


def opcodes(old: Sequence[str], new: Sequence[str]) -> list[Opcode]:
    begin, end = alike(old, new)
    matcher = SequenceMatcher(None, old[begin : len(old) - end], new[begin : len(new) - end])
    middle: list[Opcode] = [
        (tag, first + begin, last + begin, start + begin, stop + begin)
        for tag, first, last, start, stop in matcher.get_opcodes()
    ]
    return _around(middle, begin, end, len(old), len(new))


def plain_opcodes(old: Sequence[str], new: Sequence[str]) -> list[Opcode]:
    """Return the same in the roughest way: all between what is alike at both ends was replaced."""
    begin, end = alike(old, new)
    middle: Opcode = ("replace", begin, len(old) - end, begin, len(new) - end)
    return _around([middle], begin, end, len(old), len(new))


def alike(old: Sequence[str], new: Sequence[str]) -> tuple[int, int]:
    """Return how many items, lines or characters, are the same at the beginning and, of the rest, at the end."""
    most = min(len(old), len(new))
    begin = next((place for place in range(most) if old[place] != new[place]), most)
    end = next((place for place in range(most - begin) if old[-1 - place] != new[-1 - place]), most - begin)
    return begin, end


def _around(middle: list[Opcode], begin: int, end: int, old: int, new: int) -> list[Opcode]:
    before: Opcode = ("equal", 0, begin, 0, begin)
    after: Opcode = ("equal", old - end, old, new - end, new)
    return [code for code in (before, *middle, after) if code[1] < code[2] or code[3] < code[4]]
