"""Parse JSON with comments and trailing commas into a tree with source positions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar

Item = TypeVar("Item")

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


def parse(text: str) -> Node:
    """Raises Malformed."""
    reader = _Reader(text)
    node = reader.node()
    if reader.next():
        reader.fail("unexpected content after the end")
    return node


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def next(self) -> str:
        """Skip whitespace and comments, and return the character after them."""
        match = _GAP.match(self.text, self.at)
        self.at = match.end() if match else self.at
        if self.text.startswith("/*", self.at):
            self.fail("unterminated comment")
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
        for member, comma in self.items("}", self.member):
            member.comma = comma
            members.append(member)
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
        items = [node.value for node, _ in self.items("]", self.node)]
        return Node(items, start, self.at)

    def items(self, closer: str, read: Callable[[], Item]) -> Iterator[tuple[Item, int]]:
        """Read up to the closing bracket; yield each item with the position of the comma after it, or -1."""
        self.at += 1
        comma = 0
        while self.next() != closer:
            if comma < 0:
                self.fail(f"expected a comma or {closer}")
            item = read()
            comma = self.at if self.next() == "," else -1
            self.at += comma >= 0
            yield item, comma
        self.at += 1

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
        line, before = self.text.count("\n", 0, self.at) + 1, self.text.rfind("\n", 0, self.at)
        raise Malformed(line, self.at - before, reason)
