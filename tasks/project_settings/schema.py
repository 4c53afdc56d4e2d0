"""The one schema of a project's settings: what there is, what it may be, what it does, and what holds by default."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from tasks.project_settings.kinds import (
    Choice,
    Commands,
    Flag,
    Gates,
    Kind,
    Number,
    Numbers,
    Problem,
    Zone,
    closed,
    unknown,
)

BYTES_LIMIT = 64 * 1024
"""Of a document as YAML, so that what is read can be sent again."""
DAYS, HOURS = 10_000, 24 * 365
SWITCH = Choice(("off", "suggest", "act"))
ADVICE = Choice(("off", "suggest"))
"""A switch of what never acts by itself."""
STALE_HOURS = {
    "reviewer": 6, "documenter": 8, "researcher": 12, "tester": 16, "debugger": 24, "implementer": 48, "architect": 72,
    "default": 24,
}  # fmt: skip
ARCHIVE_DAYS = {"completed": 90, "failed": 60, "stale": 30, "abandoned": 14, "orphaned": 7}


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting by its dotted name. `usual` says what a default of None means."""

    name: str
    label: str
    kind: Kind
    default: Any
    hint: str
    usual: str = ""

    @property
    def path(self) -> tuple[str, ...]:
        return tuple(self.name.split("."))


@dataclass(frozen=True, slots=True)
class Section:
    """Settings of one subject; those of the first section, without a name, are at the top of the document."""

    name: str
    label: str
    settings: tuple[Setting, ...]


SECTIONS = (
    Section("", "General", (
        Setting("lease_minutes", "Lease duration (minutes)", Number(0, 24 * 60, is_above=True), None,
            "How long a claim lasts without a call of its holder. Then others can claim the task.",
            usual="that of the site (ORCHESTRATOR_LEASE_MINUTES)"),
        Setting("review", "Review all tasks", Flag(), False,
            "Every completed task waits for approval before its dependents can start. Else only those that were "
            "planned with a review."),
        Setting("self_approval", "Allow self-approval", Flag(), False,
            "Whoever delivered a task may approve it. Else another person must, or an assistant with another access "
            "token or connection."),
        Setting("mirror", "Also write artifacts to disk", Flag(), False,
            "Keeps the latest version of every artifact in .task_orchestrator/artifacts of the folder of the project. "
            "Your own files are not touched."),
        Setting("time_zone", "Time zone", Zone(), "UTC", "Of due dates, recurring plans and daily figures."),
    )),
    Section("maintenance", "Maintenance", (
        Setting("maintenance.archive", "Archive finished plans", SWITCH, "suggest",
            "Off: scans propose nothing to archive. Suggest: they propose plans that are over. Act: each day up to 50 "
            "of these are archived. They can be restored."),
        Setting("maintenance.purge", "Purge the archive", SWITCH, "suggest",
            "Off: nothing can be purged. Suggest: superusers purge what is due, after a preview. Act: each day up to "
            "50 of these plans are exported, then deleted. They can be imported again."),
        Setting("maintenance.status_documents", "Status documents", SWITCH, "suggest",
            "Off: the files in .task_orchestrator/status are not written. Suggest: they are written when someone asks "
            "for it. Act: each day too."),
        Setting("maintenance.stale_hours", "Stale after hours without activity", Numbers(Number(0.25, HOURS)),
            STALE_HOURS,
            "An upper limit by specialist; the name default is for all others. Once 20 of its tasks are done, the "
            "times of the project give a sharper one."),
        Setting("maintenance.archive_after_days", "Archive after days without an event",
            Numbers(Number(0, DAYS), tuple(ARCHIVE_DAYS)), ARCHIVE_DAYS, "By the reason for which a plan is over."),
        Setting("maintenance.purge_after_days", "Purge after days in the archive", Number(1, DAYS), None,
            "For every plan.", usual="365 for completed plans, 180 for others"),
    )),
    Section("handover", "Handover", (
        Setting("handover.prepare", "Prepare handovers", SWITCH, "suggest",
            "Off: none can be prepared. Suggest: one is prepared when someone asks for it. Act: each day too, if the "
            "board has moved."),
        Setting("handover.max_chars", "Length (characters)", Number(2_000, 100_000, is_integer=True), 8_000,
            "Of a basic handover. More thorough ones may have twice as many."),
    )),
    Section("routing", "Routing", (
        Setting("routing.suggest", "Suggest specialists", ADVICE, "suggest",
            "Off: nothing is suggested. Suggest: the form of a task and the tool name specialists that fit, with "
            "reasons. No task ever gets a specialist by itself."),
        Setting("routing.rebalance", "Propose rebalancing", ADVICE, "suggest",
            "Off: nothing is proposed. Suggest: changes to an uneven workload are proposed, with a preview. A person "
            "or an assistant decides."),
        Setting("routing.min_confidence", "Least confidence (0 to 1)", Number(0, 1), 0.6,
            "A suggestion below it says that it is unsure."),
        Setting("routing.explore", "More tasks to try newcomers with", Number(0, 10, is_integer=True), 0,
            "A specialist, client or model counts as new, and as worth a try, until three tasks are done with it. This "
            "many are added to the three."),
    )),
    Section("templates", "Templates", (
        Setting("templates.suggest", "Suggest templates", ADVICE, "suggest",
            "Off: none is suggested. Suggest: templates that fit a description are named. None is applied by itself."),
    )),
    Section("gates", "Gates", (
        Setting("gates.default", "Gates of every task", Gates(), [],
            "Every planned task gets these, such as [{command: test}, review]. Commands have to be among those below."),
        Setting("gates.commands", "Commands", Commands(), {},
            "What manage.py attest may run, in the shell of whoever calls it and never on the site, such as "
            "{test: {argv: [make, test], report: build/junit.xml}}."),
    )),
    Section("metrics", "Figures", (
        Setting("metrics.daily", "Count figures", SWITCH, "act",
            "Off: there are none. Suggest: they are counted when someone looks, on a large board when someone asks. "
            "Act: every hour they are also kept, for their history."),
        Setting("metrics.window_days", "Window (days)", Number(1, 365, is_integer=True), 30,
            "How far back figures look."),
    )),
)  # fmt: skip
NAMED = {setting.name: setting for section in SECTIONS for setting in section.settings}
_GROUPS = {section.name: {each.path[1]: each for each in section.settings} for section in SECTIONS if section.name}
_TOP = (*(each.name for each in SECTIONS[0].settings), *_GROUPS)
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def value_in(document: Any, path: tuple[str, ...]) -> Any:
    """Return what a document says, or None where it says nothing."""
    for part in path:
        document = document.get(part) if isinstance(document, dict) else None
    return document


def problems_of(document: Any, *, kept: dict[str, Any] | None = None) -> list[Problem]:
    """Return what is wrong with a document, each with its place.

    Unknown settings that are `kept` already, perhaps of a newer version, may stay as they are.
    """
    if not isinstance(document, dict):
        return [{"at": "settings", "problem": "must be an object, for example {}"}]
    if problems := list(_problems(document, kept or {})) or _unknown_commands(document, kept or {}):
        return problems
    is_large = len(to_yaml({**document}).encode()) > BYTES_LIMIT
    return [{"at": "settings", "problem": f"have more than {BYTES_LIMIT // 1024} KiB as YAML"}] if is_large else []


def _unknown_commands(document: dict[str, Any], kept: dict[str, Any]) -> list[Problem]:
    """Return a problem for each default gate whose command is none of the settings; one that is kept may stay."""
    gates, commands = (value_in(document, ("gates", name)) or {} for name in ("default", "commands"))
    stored = value_in(kept, ("gates", "default")) or []
    return [
        {"at": f"settings.gates.default[{n}].command", "problem": "unknown command", "allowed": sorted(commands)}
        for n, gate in enumerate(gates)
        if isinstance(gate, dict) and gate.get("command") not in (None, *commands) and gate not in stored
    ]


def to_yaml(value: Any) -> str:
    return str(yaml.dump(value, Dumper=_DUMPER, sort_keys=False, allow_unicode=True, width=100))


def _problems(document: dict[str, Any], kept: dict[str, Any]) -> Iterator[Problem]:
    yield from _unknown(document, kept, _TOP, "settings")
    for name, value in document.items():
        if name in NAMED:
            yield from NAMED[name].kind.problems(value, f"settings.{name}")
        elif name in _GROUPS and not isinstance(value, dict):
            yield {"at": f"settings.{name}", "problem": "must be an object"}
        elif name in _GROUPS:
            known = kept.get(name)
            yield from _unknown(value, known if isinstance(known, dict) else {}, _GROUPS[name], f"settings.{name}")
            for each in (each for each in value if each in _GROUPS[name]):
                yield from _GROUPS[name][each].kind.problems(value[each], f"settings.{name}.{each}")


def _unknown(document: dict[str, Any], kept: dict[str, Any], allowed: Any, at: str) -> list[Problem]:
    strange = [name for name in document if name not in allowed]
    return unknown([name for name in strange if name not in kept or kept[name] != document[name]], allowed, at)


def json_schema(*, is_patch: bool = False) -> dict[str, Any]:
    """Return the JSON Schema of the document, or that of a merge patch, in which null clears whatever it is for."""
    groups = {
        section.name: closed({each.path[-1]: _described(each) for each in section.settings}) for section in SECTIONS
    }
    top = groups.pop("")["properties"]
    whole = closed({**top, **groups})
    return _patch(whole) if is_patch else whole


def _described(setting: Setting) -> dict[str, Any]:
    default = {} if setting.default is None else {"default": setting.default}
    return {**setting.kind.json_schema, "description": setting.hint, **default}


def _patch(schema: dict[str, Any]) -> dict[str, Any]:
    done = {name: part for name, part in schema.items() if name not in ("required", "default")}
    if "properties" in schema:
        done["properties"] = {name: _or_null(_patch(each)) for name, each in schema["properties"].items()}
    if isinstance(schema.get("additionalProperties"), dict):
        done["additionalProperties"] = _or_null(_patch(schema["additionalProperties"]))
    return done


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}
