"""The checks of a project's structure, in one table: what each looks for, how severe it is, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from maintenance.choices import Cause, Level, Severity
from maintenance.found import Found
from maintenance.selectors import structure_rows as rows
from maintenance.selectors import structure_tree as tree
from maintenance.selectors.hits import Asked, Check, Hit
from maintenance.selectors.scope import Scope
from maintenance.selectors.structure_contents import check_contents
from tasks.models import Task

NAMED = 50
"""How many are named of each cause; the evidence counts all of them."""
_ORDER = list(Level)
_B, _C = Level.BASIC, Level.COMPREHENSIVE
_INFO, _WARNING, _ERROR, _CRITICAL = Severity

CHECKS = (
    Check(Cause.ACTIVE_WITHOUT_LEASE, _WARNING, _B, rows.active_without_lease, "Release it.", is_repaired=True),
    Check(Cause.READY_MARK, _ERROR, _B, rows.wrong_ready_marks, "", is_repaired=True),
    Check(Cause.GROUP_STATE, _ERROR, _B, rows.wrong_group_states, "", is_repaired=True),
    Check(
        Cause.WAITS_FOR_ARCHIVED, _WARNING, _B, rows.waits_for_archived,
        "Restore the archived task, or remove the dependency.",
    ),
    Check(
        Cause.FUTURE_TIME, _WARNING, _B, rows.future_times,
        "Check the clocks of the servers: one was ahead, or was set back.",
    ),
    Check(Cause.INDEX_BACKLOG, _INFO, _B, rows.index_backlog, "Start the worker.", is_repaired=True),
    Check(
        Cause.PARENT_LOOP, _CRITICAL, _C, tree.parent_loops,
        "Restore a backup: no service makes this, so the rows were changed past them.",
    ),
    Check(
        Cause.WRONG_ROOT, _ERROR, _C, tree.wrong_roots, "Plan it again in its own project, then cancel it.",
        is_repaired=True,
    ),
    Check(
        Cause.LEAF_WITH_CHILDREN, _ERROR, _C, tree.wrong_leaf_flags, "Cancel it: it is active without subtasks.",
        is_repaired=True,
    ),
    Check(Cause.INHERITED_DEPENDENCY, _ERROR, _C, tree.wrong_inherited_dependencies, "", is_repaired=True),
    Check(Cause.CHAIN, _WARNING, _C, tree.wrong_chains, "", is_repaired=True),
    Check(Cause.DEPENDENCY_CYCLE, _CRITICAL, _C, tree.dependency_cycles, "Remove one of these dependencies."),
    Check(Cause.FOREIGN_DEPENDENCY, _ERROR, _C, tree.foreign_dependencies, "Remove the dependency."),
    Check(
        Cause.UNKNOWN_SPECIALIST, _WARNING, _C, tree.unknown_specialists,
        "Give the project a role of this name, or edit the specialist of the task.",
    ),
    Check(
        Cause.REVIEW_WITHOUT_DELIVERY, _WARNING, _C, rows.reviews_without_delivery,
        "Request a revision: there is nothing to review.",
    ),
    Check(
        Cause.COMPLETED_WITHOUT_WORK, _WARNING, _C, rows.completed_without_summary,
        "Request a revision where its result is needed.",
    ),
    Check(
        Cause.COMPLETED_WITHOUT_EVIDENCE, _WARNING, _C, rows.completed_without_evidence,
        "Request a revision: its gates were never met.",
    ),
    Check(
        Cause.VERSION_COUNT, _ERROR, _C, rows.wrong_versions,
        "Deliver it again where the latest version is missing, or restore a backup.",
    ),
)  # fmt: skip


class _Name(NamedTuple):
    public_id: str
    title: str
    since: datetime
    seen: str


def check(scope: Scope, level: Level, now: datetime) -> list[Found]:
    """Return what is wrong with the structure of a scope, the most severe first.

    `basic` asks what indexes answer, `comprehensive` everything about rows, `full_audit` also reads all content and
    lets the database check itself. Up to `NAMED` of a cause are named; `evidence["total"]` counts all. The number of
    statements depends on the level alone, but for content.
    """
    asked = Asked(scope, level, now)
    wanted = [each for each in CHECKS if _ORDER.index(each.level) <= _ORDER.index(level)]
    hits = [(each, each.find(asked)) for each in wanted]
    names = _names(hit for _, of_cause in hits for hit in of_cause[:NAMED])
    found = [_found(each, hit, len(some), names) for each, some in hits for hit in some[:NAMED] if hit.task in names]
    if level == Level.FULL_AUDIT:
        found += check_contents(asked)
    return sorted(found, key=lambda each: each.order)


def _names(hits: Iterable[Hit]) -> dict[int, _Name]:
    keys = {key for hit in hits for key in (hit.task, hit.other, *hit.members) if key is not None}
    columns = ("pk", "public_id", "title", "updated_at", "status", "lease_number")
    rows = Task.objects.filter(pk__in=keys).values_list(*columns) if keys else []
    return {
        pk: _Name(public_id, title, since, f"{status}:{lease}") for pk, public_id, title, since, status, lease in rows
    }


def _found(check: Check, hit: Hit, total: int, names: dict[int, _Name]) -> Found:
    task = names[hit.task]
    evidence: dict[str, Any] = {**hit.evidence, "total": total}
    if hit.members:
        evidence["tasks"] = [names[pk].public_id for pk in hit.members if pk in names]
    subject = hit.subject or task.public_id
    if hit.other in names:
        subject = f"{task.public_id} {names[hit.other].public_id}"
    is_repaired = check.is_repaired and hit.is_repairable
    return Found(
        check.cause, check.severity, subject, task.since, task.title, hit.task, evidence,
        proposal="repair" if is_repaired else "", advice="" if is_repaired else check.advice, seen=task.seen,
    )  # fmt: skip
