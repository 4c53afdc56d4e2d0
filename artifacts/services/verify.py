"""Verify: read everything that is stored, tell what is wrong with it, and mend what can be mended.

Others may deliver meanwhile. What is young is theirs; what is found to be wrong is looked at once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from django.db.models import QuerySet
from django.utils import timezone

from artifacts.models import ArtifactVersion, Content
from artifacts.services.repair import heal
from artifacts.services.sweep import KEEP, is_old, remove_row, unnamed_bytes, unnamed_rows
from artifacts.storage.base import content_store
from artifacts.storage.local import drafts_left, remove_draft
from artifacts.storage.verify import Examined, State, examine

_HARMS = {State.MISSING, State.DAMAGED, State.REFUSED, State.UNREADABLE, State.MISCOUNTED}
_MENDED, _HEALED = "mended", "healed from a mirror"
_HURT = ("artifact__public_id", "number")
_PAGE = 50
_GONE = {State.MISSING, State.DAMAGED, State.REFUSED}
_ROW, _BYTES, _DRAFT = "row without a version", "bytes without a row", "draft that nobody writes"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be, its size, the versions that it hurts, and what was done about it.

    `is_harm` tells that something which was delivered cannot be read, or is read wrongly, still.
    """

    what: str
    name: str
    size_bytes: int
    hurts: tuple[str, ...] = ()
    done: str = ""
    is_harm: bool = False


@dataclass(slots=True)
class Totals:
    """How much was read, how often each thing was found and harms stay, and what is too young to be judged."""

    contents: int = 0
    size_bytes: int = 0
    found: dict[str, int] = field(default_factory=dict)
    harms: int = 0
    young: int = 0


def verify(*, repair: bool = False, tell: Callable[[Finding], object]) -> Totals:
    """Re-hash every content, tell each thing that is wrong, and return the totals.

    With `repair`, rows are mended from good bytes, damaged bytes are put aside and brought back from a mirror that has
    them, and what nothing has named for a day is removed. Raises Transient where the store refuses.
    """
    totals = Totals()
    for finding in chain(_rows(totals, repair), _contents(totals, repair), _unnamed(totals, repair)):
        totals.found[finding.what] = totals.found.get(finding.what, 0) + 1
        totals.harms += finding.is_harm
        tell(finding)
    return totals


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
        if examine(content).state is not State.SOUND and (current := _as_it_is_now(content)):
            found = examine(current)
            if found.state is not State.SOUND:
                yield _told(current, found, _mend(current, found) if repair else "")


def _each(rows: QuerySet[Content]) -> Iterator[Content]:
    """Yield rows in pages: one long read would keep the database from tidying up after those who write."""
    last = 0
    while page := list(rows.filter(pk__gt=last).order_by("pk")[:_PAGE]):
        yield from page
        last = page[-1].pk


def _as_it_is_now(content: Content) -> Content | None:
    """Look again: it may have been delivered anew, or removed, since its row was read."""
    return Content.objects.filter(pk=content.pk).first()


def _told(content: Content, found: Examined, done: str) -> Finding:
    versions = ArtifactVersion.objects.filter(content=content).order_by("pk")
    hurts = tuple(f"{public_id} v{number}" for public_id, number in versions.values_list(*_HURT))
    is_harm = found.state in _HARMS and done not in (_MENDED, _HEALED)
    return Finding(found.state.value, content.sha256, content.size_bytes, hurts, done, is_harm)


def _mend(content: Content, found: Examined) -> str:
    """Mend a row whose bytes are good, put damaged ones aside and look for others; returns what was done."""
    if found.state in _GONE:
        return _bring_back(content, found.state)
    tally = found.tally
    same = Content.objects.filter(pk=content.pk, stored_as=content.stored_as, codec=content.codec)
    mended = same.update(
        size_bytes=tally.size_bytes, size_chars=tally.size_chars, size_lines=tally.size_lines, index=found.index
    )
    return _MENDED if mended else ""


def _bring_back(content: Content, state: State) -> str:
    is_kept = state is State.DAMAGED and content.data is None
    if is_kept:
        content_store().put_aside(content.kept_as)
    if heal(content=content):
        return _HEALED
    return "put aside" if is_kept else ""


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
