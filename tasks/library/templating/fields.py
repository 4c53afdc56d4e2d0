"""The fields of a template, each read as what it has to be. What is wrong is noted with its line; reading goes on."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator_site.kernel.limits import TEXT_LIMIT
from orchestrator_site.kernel.yaml_nodes import Node
from tasks.choices import Complexity, Priority
from tasks.gates.definition import normalised
from tasks.library.templating.format import Problem

_PRIORITIES = {priority.name.lower(): priority.value for priority in Priority}


@dataclass(slots=True)
class Fields:
    """Each of these takes None for what is not there."""

    problems: list[Problem]

    def wrong(self, node: Node, problem: str, allowed: Collection[str] = ()) -> None:
        self.problems.append(Problem(node.line, problem, tuple(allowed)))

    def mapping(self, node: Node, known: Sequence[str], *, needed: Sequence[str] = ()) -> dict[str, Node]:
        """Return the values by their known keys; one that is null is not there."""
        if node.pairs is None:
            self.wrong(node, "must be a mapping with these keys", known)
            return {}
        found: dict[str, Node] = {}
        for key, value in node.pairs:
            if key.text not in known:
                self.wrong(key, f"unknown key {str(key.text)[:64]!r}", known)
            elif not value.is_null:
                found[str(key.text)] = value
        if missing := [name for name in needed if name not in found]:
            self.wrong(node, f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing")
        return found

    def pairs(self, node: Node | None, limit: int) -> list[tuple[Node, Node]]:
        if node is None:
            return []
        if node.pairs is None:
            self.wrong(node, "must be a mapping")
            return []
        if len(node.pairs) > limit:
            self.wrong(node, f"has {len(node.pairs):,} entries, {limit} are allowed")
        return node.pairs[:limit]

    def nodes(self, node: Node | None, limit: int) -> list[Node]:
        if node is None:
            return []
        if node.items is None:
            self.wrong(node, "must be a list")
            return []
        if len(node.items) > limit:
            self.wrong(node, f"has {len(node.items):,} members, {limit} are allowed")
        return node.items[:limit]

    def text(self, node: Node | None, limit: int = TEXT_LIMIT) -> str:
        if node is None:
            return ""
        if node.text is None:
            self.wrong(node, "must be a string")
            return ""
        text = node.text.strip()
        if not text or len(text) > limit:
            self.wrong(node, f"must be a string of 1 to {limit:,} characters")
        return text

    def line(self, node: Node | None, limit: int) -> str:
        text = self.text(node, limit)
        if node is not None and len(text.splitlines()) > 1:
            self.wrong(node, "must be one line")
        return text

    def name(self, node: Node | None, names: re.Pattern[str]) -> str:
        text = self.line(node, 64)
        if node is None or names.fullmatch(text):
            return text
        self.wrong(node, f"{text[:64]!r} must be up to 64 lower-case letters, digits, - and _")
        return ""

    def words(self, node: Node | None, limit: int) -> tuple[str, ...]:
        """Read a list of lines; one alone may stay without brackets."""
        single = [node] if node is not None and node.text is not None else None
        return tuple(self.line(each, 500) for each in single or self.nodes(node, limit))

    def boolean(self, node: Node | None) -> bool | None:
        found = node.as_data() if node is not None else None
        if node is not None and not isinstance(found, bool):
            self.wrong(node, "must be true or false", ("true", "false"))
            return None
        return found

    def integer(self, node: Node | None, least: int, most: int) -> int | None:
        found = node.as_data() if node is not None else None
        if node is not None and (not isinstance(found, int) or isinstance(found, bool) or not least <= found <= most):
            self.wrong(node, f"must be an integer from {least:,} to {most:,}")
            return None
        return found

    def priority(self, node: Node | None) -> int | None:
        return _PRIORITIES.get(self.choice(node, _PRIORITIES))

    def complexity(self, node: Node | None) -> str:
        return self.choice(node, Complexity.values)

    def choice(self, node: Node | None, allowed: Collection[str]) -> str:
        text = self.line(node, 64)
        if node is None or text in allowed:
            return text
        self.wrong(node, f"unknown value {text!r}", allowed)
        return ""

    def gates(self, node: Node | None) -> tuple[dict[str, Any], ...]:
        if node is None:
            return ()
        gates, problems = normalised(node.as_data())
        for each in problems:
            self.wrong(self._place(node, each["at"]), f"{each['at']}: {each['problem']}", each.get("allowed", ()))
        return () if problems else tuple(gates)

    @staticmethod
    def _place(node: Node, at: str) -> Node:
        """Return the gate that `gates[2].kind` is about."""
        number = re.match(r"gates\[(\d+)\]", at)
        return node.items[int(number[1])] if number and node.items else node
