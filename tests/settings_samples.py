"""For each setting of a project, values that it takes and values that it does not, with the place of what is wrong."""

from __future__ import annotations

from typing import Any

GOOD: dict[str, tuple[Any, ...]] = {
    "lease_minutes": (7.5, 1440, 0.01),
    "review": (True, False),
    "self_approval": (True, False),
    "mirror": (False,),
    "time_zone": ("Europe/Berlin", "UTC"),
    "maintenance.archive": ("off", "suggest", "act"),
    "maintenance.purge": ("off", "suggest", "act"),
    "maintenance.status_documents": ("off", "suggest", "act"),
    "maintenance.stale_hours": ({"tester": 2.5, "default": 30}, {"ours": 0.25}),
    "maintenance.archive_after_days": ({"completed": 0, "orphaned": 10_000},),
    "maintenance.purge_after_days": (1, 10_000),
    "handover.prepare": ("off", "suggest", "act"),
    "handover.max_chars": (2_000, 100_000),
    "routing.suggest": ("off", "suggest"),
    "routing.rebalance": ("off", "suggest"),
    "routing.min_confidence": (0, 0.75, 1),
    "routing.explore": (0, 10),
    "templates.suggest": ("off", "suggest"),
    "gates.default": ([], ["review", {"kind": "report", "max_skipped": 0}]),
    "gates.commands": ({}, {"test": {"argv": ["make", "089", "1e3", "no"], "timeout_seconds": 1.5, "report": "a.xml"}}),
    "metrics.daily": ("off", "suggest", "act"),
    "metrics.window_days": (1, 365),
}
_COMMAND = {"argv": ["make"]}
BAD: dict[str, tuple[tuple[Any, str], ...]] = {
    "lease_minutes": ((0, ""), (-1, ""), (1441, ""), (True, ""), ("5", "")),
    "review": (("yes", ""), (1, "")),
    "self_approval": (("on", ""),),
    "mirror": (([], ""),),
    "time_zone": (("Moon/Base", ""), ("", ""), (1, "")),
    "maintenance.archive": (("on", ""), (True, ""), ([], "")),
    "maintenance.purge": (("automatic", ""),),
    "maintenance.status_documents": ((False, ""),),
    "maintenance.stale_hours": (
        ({"tester": 0.2}, ".tester"),
        ({"tester": "soon"}, ".tester"),
        ([], ""),
        ({"x" * 65: 5}, f".{'x' * 64}"),
        ({"The tester": 5}, ".The tester"),
    ),
    "maintenance.archive_after_days": (({"completed": -1}, ".completed"), ({"lost": 1}, ".lost"), (7, "")),
    "maintenance.purge_after_days": ((0, ""), (10_001, "")),
    "handover.prepare": (("always", ""),),
    "handover.max_chars": ((1_999, ""), (2_000.5, ""), (100_001, "")),
    "routing.suggest": (("act", ""),),
    "routing.rebalance": (("act", ""),),
    "routing.min_confidence": ((1.01, ""), (-0.1, ""), ("sure", "")),
    "routing.explore": ((-1, ""), (0.5, ""), (11, "")),
    "templates.suggest": (("act", ""),),
    "gates.default": (
        (["prayer"], "[0].kind"),
        ({}, ""),
        ([{"command": "test", "rung": "high"}], "[0].rung"),
        (["review", {"command": "test"}], "[1].command"),
    ),
    "gates.commands": (
        ({"test": {"argv": "make test"}}, ".test.argv"),
        ({"test": {**_COMMAND, "shell": True}}, ".test.shell"),
        ({"test": {**_COMMAND, "timeout_seconds": 0}}, ".test.timeout_seconds"),
        ({"Test it": _COMMAND}, ".Test it"),
        ([], ""),
    ),
    "metrics.daily": (("on", ""),),
    "metrics.window_days": ((0, ""), (366, ""), (1.5, "")),
}


def document(name: str, value: Any) -> dict[str, Any]:
    """Return a document that says one thing."""
    section, _, rest = name.rpartition(".")
    return {section: {rest: value}} if section else {name: value}


def cases() -> list[tuple[str, Any]]:
    return [(name, value) for name, values in GOOD.items() for value in values]


def bad_cases() -> list[tuple[str, Any, str]]:
    """Return names and values, each with the place of what is wrong."""
    return [(name, value, f"settings.{name}{below}") for name, values in BAD.items() for value, below in values]
