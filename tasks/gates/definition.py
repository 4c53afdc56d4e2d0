"""What a gate asks for, as it is written in templates, plans and the settings of a project, and stored in its task.

A kind alone may be a string: `report`. Else it is an object: `{"command": "test"}`, `{"kind": "report", "tests":
["test_the_price"]}`, `{"kind": "commit", "paths": ["src"], "rung": "verified"}`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator_site.kernel.text import unstorable
from tasks.choices import GateKind, Rung

GATES_LIMIT = 20
LIST_LIMIT = 50
NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
"""Of a gate, and of a command in the settings of a project."""
LOWEST = {
    GateKind.COMMAND: Rung.OBSERVED,
    GateKind.REPORT: Rung.REPORTED,
    GateKind.COMMIT: Rung.VERIFIED,
    GateKind.REVIEW: Rung.APPROVED,
    GateKind.APPROVAL: Rung.APPROVED,
}
"""The lowest rung that counts where a gate does not say it; review and approval have no other."""
_OF_KIND = {
    GateKind.COMMAND: {"command"},
    GateKind.REPORT: {"tests", "max_skipped"},
    GateKind.COMMIT: {"paths"},
    GateKind.REVIEW: set[str](),
    GateKind.APPROVAL: set[str](),
}
_ALWAYS = {"name", "kind", "rung"}
_SAME = ("name", "kind", "command", "paths", "is_for_reviewer")  # a reviewer need not see that a command ran
_Problem = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Gate:
    """`tests` have to be in the report, `paths` touched by the commit; without them, what the task plans to change."""

    name: str
    kind: GateKind
    rung: Rung
    command: str = ""
    tests: tuple[str, ...] = ()
    max_skipped: int | None = None
    paths: tuple[str, ...] = ()

    @property
    def is_for_reviewer(self) -> bool:
        """Whether only the verdict on a delivery can meet it."""
        return self.rung == Rung.APPROVED

    @property
    def digest(self) -> str:
        """What differs as soon as the gate asks for something else; kept with evidence."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:12]

    def asks_no_less(self, than: Gate) -> bool:
        """Whether whatever meets this gate meets the other one too."""
        skipped = than.max_skipped is None or (self.max_skipped is not None and self.max_skipped <= than.max_skipped)
        same = all(getattr(self, name) == getattr(than, name) for name in _SAME)
        return same and self.rung >= than.rung and skipped and set(self.tests) >= set(than.tests)


def gates_of(stored: Iterable[Mapping[str, Any]]) -> list[Gate]:
    """Return gates as they were stored by `normalised`."""
    return [
        Gate(
            name=each["name"],
            kind=GateKind(each["kind"]),
            rung=Rung[each["rung"].upper()],
            command=each.get("command", ""),
            tests=tuple(each.get("tests", ())),
            max_skipped=each.get("max_skipped"),
            paths=tuple(each.get("paths", ())),
        )
        for each in stored
    ]


def normalised(given: Any, *, at: str = "gates") -> tuple[list[dict[str, Any]], list[_Problem]]:
    """Return gates in the form that is stored, and what is wrong with them, each with its place."""
    if not isinstance(given, list | tuple):
        return [], [{"at": at, "problem": "must be a list of gates"}]
    if len(given) > GATES_LIMIT:
        return [], [{"at": at, "problem": f"has {len(given):,} gates, {GATES_LIMIT} are allowed"}]
    gates: list[dict[str, Any]] = []
    problems: list[_Problem] = []
    for number, each in enumerate(given):
        gate, wrong = _one(each, f"{at}[{number}]")
        if gate["name"] in [other["name"] for other in gates] and not wrong:
            wrong = [{"at": f"{at}[{number}].name", "problem": f"the gate {gate['name']!r} is there twice"}]
        gates.append(gate)
        problems += wrong
    return gates, problems


def relaxed(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[str]:
    """Return the names of the gates that are gone, or ask for less than before."""
    now = gates_of(after)
    return [old.name for old in gates_of(before) if not any(gate.asks_no_less(old) for gate in now)]


def with_defaults(own: list[dict[str, Any]], defaults: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add the gates of a project to those of a task. One of the same name is the task's own where it asks for no less.

    It counts on the higher rung of the two.
    """
    named = {gate["name"]: gate for gate in own}
    for gate in defaults:
        named[gate["name"]] = _stricter(named.get(gate["name"], gate), gate)
    return list(named.values())


def _stricter(own: dict[str, Any], usual: dict[str, Any]) -> dict[str, Any]:
    raised = {**own, "rung": max(own["rung"], usual["rung"], key=lambda rung: Rung[rung.upper()])}
    mine, other = gates_of([raised, usual])
    return raised if mine.asks_no_less(other) else usual


def _one(given: Any, at: str) -> tuple[dict[str, Any], list[_Problem]]:
    gate: dict[str, Any] = (
        {"kind": given} if isinstance(given, str) else dict(given) if isinstance(given, Mapping) else {}
    )
    if isinstance(gate.get("command"), str) and "kind" not in gate:
        gate["kind"] = GateKind.COMMAND.value
    kind = gate.get("kind")
    if not isinstance(kind, str) or kind not in GateKind.values:
        wrong = {"at": f"{at}.kind", "problem": f"unknown gate {str(kind)[:64]!r}", "allowed": GateKind.values}
        return {"name": ""}, [wrong]
    problems = _problems(gate, GateKind(kind), at)
    gate.setdefault("rung", LOWEST[GateKind(kind)].label)
    gate.setdefault("name", gate.get("command") or kind)
    return gate, problems


def _problems(gate: dict[str, Any], kind: GateKind, at: str) -> list[_Problem]:
    allowed = sorted(_ALWAYS | _OF_KIND[kind])
    found: list[_Problem] = [
        {"at": f"{at}.{str(name)[:64]}", "problem": f"is nothing that a gate of kind {kind} has", "allowed": allowed}
        for name in gate
        if name not in allowed
    ]
    for name in ("name", "command"):
        if name in gate and not (isinstance(gate[name], str) and NAME.fullmatch(gate[name])):
            found.append({"at": f"{at}.{name}", "problem": "must be up to 64 lower-case letters, digits, - and _"})
    if kind == GateKind.COMMAND and "command" not in gate:
        found.append({"at": f"{at}.command", "problem": "names no command of the project's settings"})
    found += _rung_problems(gate, kind, at)
    found += [
        wrong for name in ("tests", "paths") if name in gate for wrong in _list_problems(gate[name], f"{at}.{name}")
    ]
    skipped = gate.get("max_skipped", 0)
    if not isinstance(skipped, int) or isinstance(skipped, bool) or skipped < 0:
        found.append({"at": f"{at}.max_skipped", "problem": "must be an integer of at least 0"})
    return found


def _rung_problems(gate: dict[str, Any], kind: GateKind, at: str) -> list[_Problem]:
    least = Rung.APPROVED if LOWEST[kind] == Rung.APPROVED else Rung.CLAIMED
    never = () if kind == GateKind.COMMIT else (Rung.VERIFIED,)  # the server itself reads nothing but commits
    allowed = [rung.label for rung in Rung if rung >= least and rung not in never]
    if gate.get("rung", allowed[-1]) in allowed:
        return []
    return [{"at": f"{at}.rung", "problem": f"{str(gate['rung'])[:64]!r} is no rung for {kind}", "allowed": allowed}]


def _list_problems(value: Any, at: str) -> list[_Problem]:
    is_list = isinstance(value, list | tuple) and len(value) <= LIST_LIMIT
    if is_list and all(isinstance(each, str) and 0 < len(each) <= 500 and not unstorable(each) for each in value):
        return []
    return [{"at": at, "problem": f"must be a list of up to {LIST_LIMIT} strings of up to 500 characters"}]


_STRINGS = {"type": "array", "maxItems": LIST_LIMIT, "items": {"type": "string"}}
JSON_SCHEMA: dict[str, Any] = {
    "oneOf": [
        {"type": "string", "enum": [kind for kind in GateKind.values if kind != GateKind.COMMAND]},
        {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "kind": {"type": "string", "enum": list(GateKind.values)},
                "rung": {"type": "string", "enum": [rung.label for rung in Rung]},
                "command": {"type": "string"},
                "tests": _STRINGS,
                "max_skipped": {"type": "integer", "minimum": 0},
                "paths": _STRINGS,
            },
            "additionalProperties": False,
        },
    ]
}
"""A gate as it is given."""
