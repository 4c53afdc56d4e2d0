"""Template tags for findings and for the values that services report."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from django import template
from django.utils import timezone

from maintenance.choices import Cause, Severity
from maintenance.found import Found
from maintenance.models import Finding, Operation
from maintenance.selectors import open_findings
from maintenance.selectors.runs import is_running
from maintenance.services.undo import can_undo
from orchestrator_site.kernel.text import shortened
from tasks.choices import Status, Verb
from tasks.models import Task

register = template.Library()
register.filter(is_running)
register.filter("why_no_undo", can_undo)
register.simple_tag(open_findings.count_open)

_ICONS: dict[str, str] = {
    Cause.LEASE_OVER: "timer",  # icon: timer
    Cause.HELD_SILENT: "timer",
    Cause.REVIEW_WAITS: "hourglass",  # icon: hourglass
    Cause.BLOCKED_SILENT: "message-circle-question-mark",  # icon: message-circle-question-mark
    Cause.WAITS_FOR_STOPPED: "hourglass",
    Cause.NEVER_CLAIMED: "hourglass",
    Cause.REPEATED_FAILURE: "repeat",  # icon: repeat
    Cause.GATE_UNMET: "repeat",
    Cause.NEAR_DUPLICATE: "layers",  # icon: layers
    Cause.ARCHIVABLE: "archive",  # icon: archive
    Cause.INDEX_BACKLOG: "search",  # icon: search
    Cause.CONTENT_DAMAGED: "file-text",
    Cause.CONTENT_UNNAMED: "file-text",
    Cause.DATABASE_DAMAGED: "database",  # icon: database
}
_OTHER = "stethoscope"  # icon: stethoscope
_SHADES: dict[int, str] = {
    Severity.INFO: Status.PENDING,
    Severity.WARNING: Status.NEEDS_REVISION,
    Severity.ERROR: Status.BLOCKED,
    Severity.CRITICAL: Status.FAILED,
}
_LABELS = {
    "release": "Release",
    "archive": "Archive",
    "restore": "Restore",
    "purge": "Purge",
    "repair": "Repair",
}
_SHOWN, _FACTS = 120, 6
_HIDDEN = ("n", "events", "other")
"""Evidence for programs: ids, which the page links to or names."""


@register.filter
def cause_icon(cause: str) -> str:
    return _ICONS.get(cause, _OTHER)


@register.filter
def for_people(advice: str) -> str:
    """Word advice that is a call for assistants as what a person does on the task's page."""
    return "Open the task to act on it." if "orchestrator_" in (advice or "") else advice


@register.filter
def cause_label(cause: str) -> str:
    return Cause(cause).label if cause in Cause.values else cause


@register.filter
def severity_class(severity: int) -> str:
    """Return the state whose color shows a severity; its word is in the tooltip."""
    return _SHADES[severity]


@register.filter
def proposal_label(proposal: str) -> str:
    return _LABELS.get(proposal, proposal.replace("_", " ").capitalize())


@register.filter
def evidence(finding: Finding) -> list[str]:
    """Return the first facts that a finding rests on; the size of a sample comes last, as `n = 38`."""
    shown = facts({name: value for name, value in finding.evidence.items() if name not in _HIDDEN})[:_FACTS]
    sample = [f"n = {finding.evidence['n']}"] if "n" in finding.evidence else []
    return [*(f"{name} {value}" for name, value in shown), *sample]


@register.filter
def facts(values: dict[str, Any]) -> list[tuple[str, str]]:
    found = [(name.replace("_", " "), _value(value)) for name, value in values.items()]
    return [(name, value) for name, value in found if value]


@register.filter
def did(operation: Operation) -> list[str]:
    """Return what an operation changed: how many of each verb."""
    counts = Counter(_outcome(change) for change in operation.changes)
    return [f"{number:,} {outcome}" for outcome, number in counts.items()]


def _outcome(change: dict[str, Any]) -> str:
    if change.get("conflict"):
        return "not done"
    return "begun" if change.get("begun") else _past(str(change.get("verb", "change")))


def _past(verb: str) -> str:
    return Verb(verb).label if verb in Verb.values else f"{verb.removesuffix('e')}ed"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.1f}".removesuffix(".0")
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        return shortened(", ".join(map(_value, value)), _SHOWN)
    if isinstance(value, dict):
        return shortened(", ".join(f"{name} {inner}" for name, inner in facts(value)), _SHOWN)
    return _time(value) if isinstance(value, str) else ""


def _time(text: str) -> str:
    """Show a time of the evidence in the reader's zone; other texts as they are."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return shortened(text, _SHOWN)
    return f"{timezone.localtime(time):%Y-%m-%d %H:%M}" if time.tzinfo else text


@register.filter
def effect(found: Found, task: Task | None) -> list[tuple[str, str, str]]:
    """Return what a proposal would change, as the fact, its value now, and its value then."""
    if found.proposal == "release" and task is not None:
        lease = f"{task.lease_holder or 'held'}, no. {task.lease_number}"
        now = Status(task.status).label
        return [("Status", now, "Pending"), ("Lease", lease, f"Released, next is no. {task.lease_number + 1}")]
    return _EFFECTS.get(found.proposal, [("Problem", found.cause.label, "Repaired")])


@register.filter
def kept(proposal: str) -> str:
    return _KEPT.get(proposal, "Everything else")


_EFFECTS = {
    "archive": [("Place", "On the board", "In the archive")],
    "restore": [("Place", "In the archive", "On the board")],
    "purge": [("Place", "In the archive", "Exported to a file, then deleted")],
}
_KEPT = {
    "release": "Artifacts, uploaded parts, comments and the log",
    "archive": "Everything; it can be restored",
    "restore": "Everything, in the state it had",
    "purge": "Title, export and its hash; the export can be imported",
}
