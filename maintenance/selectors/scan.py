"""What a scan of each level looks for, and the causes that it covers."""

from __future__ import annotations

from datetime import datetime

from maintenance.choices import Cause, Level
from maintenance.found import Found
from maintenance.selectors import stale
from maintenance.selectors.archivable import archivable
from maintenance.selectors.scope import Scope
from maintenance.selectors.stale import Look
from maintenance.selectors.structure import CHECKS, check
from maintenance.selectors.thresholds import Thresholds

_OF_CONTENT = (Cause.CONTENT_DAMAGED, Cause.CONTENT_UNNAMED, Cause.DATABASE_DAMAGED)
_ORDER = list(Level)


def scan(scope: Scope, level: Level, now: datetime) -> list[Found]:
    """Return what a scan finds, the most severe first.

    `basic` finds stale work, `comprehensive` also abandoned plans, near-duplicates and what can be archived,
    `full_audit` also everything that is wrong with the structure and the content.
    """
    look = Look(scope, now, Thresholds(scope.project))
    checks = stale.BASIC if level == Level.BASIC else stale.COMPREHENSIVE
    found = [each for find in checks.values() for each in find(look)]
    if level != Level.BASIC:
        found += archivable(scope, now)
    if level == Level.FULL_AUDIT:
        found += check(scope, level, now)
    return sorted(found, key=lambda each: each.order)


def causes_of_scan(level: Level) -> frozenset[Cause]:
    if level == Level.BASIC:
        return frozenset(stale.BASIC)
    causes = frozenset(stale.COMPREHENSIVE) | {Cause.ARCHIVABLE}
    return causes if level == Level.COMPREHENSIVE else causes | causes_of_structure(level)


def causes_of_structure(level: Level) -> frozenset[Cause]:
    causes = frozenset(each.cause for each in CHECKS if _ORDER.index(each.level) <= _ORDER.index(level))
    return causes | frozenset(_OF_CONTENT) if level == Level.FULL_AUDIT else causes
