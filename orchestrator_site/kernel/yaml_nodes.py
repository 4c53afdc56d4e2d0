"""YAML as nodes that know their line: without anchors, aliases, tags and deep nesting, read in one pass.

Scalars stay strings, since a format may say what each has to be: a version of 1.10 keeps its nought.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from orchestrator_site.kernel.text import unstorable

DEPTH_LIMIT = 12
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WORDS = {"true": True, "false": False}
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?P<fraction>\.[0-9]{1,40}(?:[eE][-+][0-9]{1,3})?)?")


@dataclass(slots=True)
class Node:
    """A string, a list (`items`) or a mapping (`pairs`). A plain string is one without quotes."""

    line: int
    text: str | None = None
    is_plain: bool = False
    items: list[Node] | None = None
    pairs: list[tuple[Node, Node]] | None = None

    @property
    def is_null(self) -> bool:
        return self.is_plain and self.text in ("", "~", "null")

    def as_data(self, plain: Callable[[str], Any] | None = None) -> Any:
        """Return what YAML means; `plain` says what a string without quotes is, where it is neither null nor a word.

        By default these are integers and strings; with `number`, also fractions.
        """
        if self.pairs is not None:
            return {key.text: value.as_data(plain) for key, value in self.pairs}
        if self.items is not None:
            return [item.as_data(plain) for item in self.items]
        text = self.text or ""
        if not self.is_plain:
            return text
        return None if self.is_null else _WORDS[text] if text in _WORDS else (plain or _integer)(text)

    def places(self, at: str) -> Iterator[tuple[str, int]]:
        """Yield the place of everything in it, such as `settings.gates.default[0]`, with its line."""
        yield at, self.line
        for key, value in self.pairs or ():
            yield from value.places(f"{at}.{key.text}")
        for number, item in enumerate(self.items or ()):
            yield from item.places(f"{at}[{number}]")


def number(text: str) -> Any:
    """Return the number that a plain string is to every reader of YAML, else the string."""
    found = _NUMBER.fullmatch(text)
    if not found:
        return text
    return float(text) if found["fraction"] else int(text)


def _integer(text: str) -> Any:
    is_integer = text.removeprefix("-").isdecimal() and text.isascii() and len(text) <= 15
    return int(text) if is_integer else text


class Broken(Exception):
    """It is no YAML that is read here."""

    def __init__(self, line: int, why: str) -> None:
        self.line, self.why = line, why


@dataclass(slots=True)
class _Open:
    """A collection whose end has not come; `key` waits for its value."""

    node: Node
    key: Node | None = None
    keys: set[str] = field(default_factory=set)

    def add(self, node: Node) -> None:
        if self.node.items is not None:
            self.node.items.append(node)
        elif self.key is None:
            self._check_key(node)
            self.key = node
        else:
            assert self.node.pairs is not None  # noqa: S101  # a collection is one of the two
            self.node.pairs.append((self.key, node))
            self.key = None

    def _check_key(self, node: Node) -> None:
        if node.text is None:
            raise Broken(node.line, "a key must be a string")
        if node.text in self.keys:
            raise Broken(node.line, f"the key {node.text[:64]!r} is there twice")
        self.keys.add(node.text)


def compose(text: str) -> Node:
    """Return the one document of a text. Raises Broken with the line."""
    top = Node(1, items=[])
    opened = [_Open(top)]
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            _take(event, opened)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or "unreadable characters"
        last = len(text.splitlines()) or 1  # the end of a text is marked on the line after it
        raise Broken(min(mark.line + 1, last) if mark else 1, f"not valid YAML ({reason})") from error
    documents = top.items or []
    if len(documents) != 1:
        raise Broken(documents[1].line if documents else 1, "it must be one YAML document")
    return documents[0]


def _take(event: Any, opened: list[_Open]) -> None:
    line = event.start_mark.line + 1
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
        raise Broken(line, "anchors and aliases are not allowed; write it out")
    if getattr(event, "tag", None) is not None:
        raise Broken(line, "tags (!) are not allowed")
    if isinstance(event, yaml.ScalarEvent):
        if why := unstorable(event.value):
            raise Broken(line, why)
        opened[-1].add(Node(line, event.value, is_plain=not event.style))
    elif isinstance(event, yaml.CollectionStartEvent):
        is_list = isinstance(event, yaml.SequenceStartEvent)
        node = Node(line, items=[]) if is_list else Node(line, pairs=[])
        if opened[-1].key is None and opened[-1].node.pairs is not None:
            raise Broken(line, "a key must be a string")
        opened[-1].add(node)
        opened.append(_Open(node))
        if len(opened) > DEPTH_LIMIT:
            raise Broken(line, "nested too deeply")
    elif isinstance(event, yaml.CollectionEndEvent):
        opened.pop()
