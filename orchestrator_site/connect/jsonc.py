"""Parse JSON with comments and trailing commas into a tree with source positions."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any, NoReturn

# Deeper than any real configuration, and well below the recursion limit.
_DEPTH_LIMIT = 100
# Whitespace and comments.
_GAP = re.compile(r"(?:[ \t\r\n]+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_STRING = re.compile(r'"[^"\\\x00-\x1f]*(?:\\.[^"\\\x00-\x1f]*)*"')
_SCALAR = re.compile(r"-?[0-9][0-9.eE+-]*|true|false|null")


class Malformed(Exception):
    """Not valid JSON; `line` and `column` start at 1."""

    def __init__(self, line: int, column: int, reason: str) -> None:
        super().__init__(f"line {line}, column {column}: {reason}")
        self.line = line
        self.column = column
        self.reason = reason


@dataclass(slots=True)
class Member:
    """One `"key": value` of an object. `comma` is the position of the comma after it, or -1."""

    key: str
    start: int
    value: Node
    comma: int = -1


@dataclass(slots=True)
class Node:
    """A value and its position in the source, from `start` to `end`."""

    value: Any
    start: int
    end: int
    members: list[Member] = field(default_factory=list)

    @property
    def is_object(self) -> bool:
        return isinstance(self.value, dict)

    def find(self, key: str) -> list[Member]:
        """Return the members with that key; JSON does not forbid duplicates."""
        return [member for member in self.members if member.key == key]


def parse(text: str) -> Node:
    """Raises Malformed."""
    return _Reader(text).document()


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def document(self) -> Node:
        self.skip()
        node = self.node()
        self.skip()
        if self.at < len(self.text):
            self.fail("unexpected content after the end")
        return node

    def skip(self) -> None:
        match = _GAP.match(self.text, self.at)
        self.at = match.end() if match else self.at
        if self.text.startswith("/*", self.at):
            self.fail("unterminated comment")

    def next(self) -> str:
        self.skip()
        return self.text[self.at : self.at + 1]

    def node(self) -> Node:
        self.depth += 1
        if self.depth > _DEPTH_LIMIT:
            self.fail("nested too deeply")
        opener = self.next()
        node = self.object() if opener == "{" else self.array() if opener == "[" else self.scalar()
        self.depth -= 1
        return node

    def object(self) -> Node:
        start = self.at
        members: list[Member] = []
        self.at += 1
        while self.next() != "}":
            if members and members[-1].comma < 0:
                self.fail("expected a comma or }")
            members.append(self.member())
            if self.next() == ",":
                members[-1].comma = self.at
                self.at += 1
        self.at += 1
        return Node({member.key: member.value.value for member in members}, start, self.at, members)

    def member(self) -> Member:
        start = self.at
        key = self.string()
        if self.next() != ":":
            self.fail("expected a colon")
        self.at += 1
        return Member(key, start, self.node())

    def array(self) -> Node:
        start = self.at
        items: list[Any] = []
        self.at += 1
        needs_comma = False
        while self.next() != "]":
            if needs_comma:
                self.fail("expected a comma or ]")
            items.append(self.node().value)
            needs_comma = self.next() != ","
            self.at += not needs_comma
        self.at += 1
        return Node(items, start, self.at)

    def scalar(self) -> Node:
        start = self.at
        if self.text.startswith('"', start):
            return Node(self.string(), start, self.at)
        match = _SCALAR.match(self.text, start)
        if not match:
            self.fail("expected a value" if start < len(self.text) else "unexpected end")
        self.at = match.end()
        return Node(self.load(match[0], start), start, self.at)

    def string(self) -> str:
        start = self.at
        match = _STRING.match(self.text, start)
        if not match:
            self.fail("expected a string in double quotes" if start < len(self.text) else "unexpected end")
        self.at = match.end()
        return str(self.load(match[0], start))

    def load(self, token: str, start: int) -> Any:
        try:
            return json.loads(token)
        except ValueError:
            self.at = start
            self.fail("not a JSON value")

    def fail(self, reason: str) -> NoReturn:
        raise Malformed(*position_of(self.text, self.at), reason)


def position_of(text: str, at: int) -> tuple[int, int]:
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    line = bisect_right(starts, at)
    return line, at - starts[line - 1] + 1
