"""Verify: read everything that is stored, report what is wrong with it, and repair what can be repaired.

Deliveries go on at the same time. What is young is left alone; what looks wrong is looked at once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from artifacts.models import ArtifactVersion, Content
from artifacts.services.repair import restore_from_mirror
from artifacts.services.sweep import KEEP, is_old, remove_row, unnamed_bytes, unnamed_rows
from artifacts.storage.backends import content_store
from artifacts.storage.local import drafts_left, remove_draft
from artifacts.storage.verify import Examined, State, examine
from orchestrator_site.kernel.sqlite.check import quick_check

_REPAIRED, _RESTORED = "repaired", "restored from a mirror"
_PAGE = 50
_GONE = {State.MISSING, State.DAMAGED, State.REFUSED}
_ROW, _BYTES, _DRAFT = "row without a version", "bytes without a row", "abandoned draft"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong, its size, the versions that it affects, and what was done about it.

    `is_harm` means that a delivered version still cannot be read, or is read wrongly.
    """

    what: str
    name: str
    size_bytes: int
    hurts: tuple[str, ...] = ()
    done: str = ""
    is_harm: bool = False


@dataclass(slots=True)
class Totals:
    """How much was read, how often each problem was found, how many harms remain, and what is too young to judge."""

    contents: int = 0
    size_bytes: int = 0
    found: dict[str, int] = field(default_factory=dict)
    harms: int = 0
    young: int = 0


def verify(*, repair: bool = False, report: Callable[[Finding], object]) -> Totals:
    """Check the database, hash every content, report each problem, and return the totals.

    With `repair`, rows are corrected from good bytes, damaged bytes are put aside and restored from a mirror that has
    them, and what nothing has named for a day is removed. Raises Transient where the store refuses.
    """
    totals = Totals()
    for finding in chain(_database(), _rows(totals, repair), _contents(totals, repair), _unnamed(totals, repair)):
        totals.found[finding.what] = totals.found.get(finding.what, 0) + 1
        totals.harms += finding.is_harm
        report(finding)
    return totals


def repair_row(*, sha256: str) -> bool:
    """Correct the row of a content whose bytes are good; returns whether it was wrong.

    Raises Transient where the store refuses.
    """
    content = Content.objects.filter(sha256=sha256).first()
    if content is None or (found := examine(content)).state in (State.SOUND, *_GONE):
        return False
    return _repair(content, found) == _REPAIRED


def _database() -> Iterator[Finding]:
    if connection.vendor == "sqlite" and (damage := quick_check(connection)):
        yield Finding("damaged database", damage[:200], 0, is_harm=True)


def _rows(totals: Totals, repair: bool) -> Iterator[Finding]:
    for content in _each(unnamed_rows().defer("data", "index")):
        if timezone.now() - content.stored_at < KEEP:
            totals.young += 1
            continue
        removed = repair and remove_row(content.pk)
        yield Finding(_ROW, content.sha256, content.size_bytes, done="removed" if removed else "")


def _contents(totals: Totals, repair: bool) -> Iterator[Finding]:
    for content in _each(Content.objects.all()):
        totals.contents += 1
        totals.size_bytes += content.size_bytes
        if examine(content).state is State.SOUND or (current := _current(content)) is None:
            continue
        found = examine(current)
        if found.state is not State.SOUND:
            done = _repair(current, found) if repair else ""
            versions = ArtifactVersion.objects.filter(content=current).order_by("pk").select_related("artifact")
            hurts = tuple(f"{version.artifact.public_id} v{version.number}" for version in versions)
            is_harm = done not in (_REPAIRED, _RESTORED)
            yield Finding(found.state.value, current.sha256, current.size_bytes, hurts, done, is_harm)


def _each(rows: QuerySet[Content]) -> Iterator[Content]:
    """Yield rows in pages: one long read would keep the database from tidying up after those who write."""
    last = 0
    while page := list(rows.filter(pk__gt=last).order_by("pk")[:_PAGE]):
        yield from page
        last = page[-1].pk


def _current(content: Content) -> Content | None:
    """Read the row again: it may have been delivered again, or removed, since."""
    return Content.objects.filter(pk=content.pk).first()


def _repair(content: Content, found: Examined) -> str:
    """Correct a row whose bytes are good, or put damaged bytes aside and look for others; returns what was done."""
    if found.state not in _GONE:
        tally = found.tally
        corrected = Content.objects.filter(pk=content.pk, stored_as=content.stored_as).update(
            size_bytes=tally.size_bytes, size_chars=tally.size_chars, size_lines=tally.size_lines, index=found.index
        )
        return _REPAIRED if corrected else ""
    is_stored = found.state is State.DAMAGED and content.data is None
    if is_stored:
        content_store().put_aside(content.stored_as)
    if restore_from_mirror(content=content):
        return _RESTORED
    return "put aside" if is_stored else ""


def _unnamed(totals: Totals, repair: bool) -> Iterator[Finding]:
    sources = ((_BYTES, unnamed_bytes(), content_store().remove), (_DRAFT, drafts_left(), remove_draft))
    for what, found, remove in sources:
        for each in found:
            if not is_old(each.modified):
                totals.young += 1
                continue
            if repair:
                remove(each.name)
            yield Finding(what, each.name, each.size, done="removed" if repair else "")
