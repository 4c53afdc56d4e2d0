"""The works of a task as a review shows them: each beside the version that was reviewed before, line by line."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from django.db.models import F, Max
from django.utils.safestring import SafeString

from artifacts.models import Artifact, ArtifactVersion, ReviewComment
from artifacts.rendering.difference import COMPARED_CHARACTERS, Difference, difference
from artifacts.rendering.excerpts import excerpt_of
from artifacts.rendering.images import image_type
from artifacts.rendering.lines import plain_lines
from artifacts.rendering.parts import MOST_NUMBERED, coloured, parts_of
from artifacts.rendering.views_of import RENDERED_CHARACTERS, View, name_of, rendered, views_of
from artifacts.reviews.rows import Lines
from artifacts.storage import Damaged
from orchestrator_site.web.templatetags.formats import turns_text
from tasks.models import Task

CHANGES = "changes"
MODES = {CHANGES: "Changes", View.SOURCE.value: "Source", View.RENDERED.value: "Rendered"}
LISTED = 200
SHOWN_FILES = 8
ROWS_TOGETHER, ROWS_ALONE = 300, 2_000
"""Lines of each work that a page shows, where it shows several, and where it shows one."""
_LINE = re.compile(r'<span id="L\d+"[^>]*><a [^>]*></a>')


@dataclass(slots=True)
class Work:
    """A delivered work in its latest version, and the version to hold it against."""

    artifact: Artifact
    new: ArtifactVersion
    old_number: int | None
    is_unchanged: bool
    """Whether it is as it was when the task was sent back."""

    @property
    def path(self) -> str:
        """Where it belongs; its id without a path."""
        paths = self.artifact.paths.all()
        return paths[0].path if paths else self.artifact.public_id


@dataclass(slots=True)
class Placed:
    """One row of what is shown, with the comments on it; a header has no lines."""

    html: SafeString | str = ""
    number: int | None = None
    """The line of the new version, which a comment here would be on."""
    old_number: int | None = None
    header: str = ""
    comments: list[ReviewComment] = field(default_factory=list)
    is_asked: bool = False
    """Whether the form for a comment stands below it."""


@dataclass(slots=True)
class Shown:
    """A work as it is shown."""

    work: Work
    mode: str = ""
    """One of MODES, or `image`, `bytes` or `damaged`."""
    rows: list[Placed] = field(default_factory=list)
    loose: list[ReviewComment] = field(default_factory=list)
    """Comments on the whole, and on lines that are not among the rows."""
    old: ArtifactVersion | None = None
    difference: Difference | None = None
    html: SafeString | None = None
    left_out: bool = False
    """Whether there is more than what is shown."""
    turns_text: bool = False
    damage: Damaged | None = None
    has_markdown: bool = False
    is_asked: bool = False

    @property
    def comments(self) -> Iterator[ReviewComment]:
        """All that was said of it, wherever it stands."""
        yield from self.loose
        for placed in self.rows:
            yield from placed.comments


@dataclass(frozen=True, slots=True)
class Wanted:
    """How the address asks for the works: in which mode and layout, one alone, and with a form at a line of it."""

    mode: str = ""
    layout: str = "unified"
    alone: str = ""
    on: str = ""
    line: int | None = None
    asking: str = ""
    """The address at which the form for a comment stands at a line, but for the work; empty for who may not comment."""

    def lines(self, work_id: str) -> Lines:
        """Return what makes the rows of a work."""
        return Lines(work_id, f"{self.asking}{work_id}&line=" if self.asking else "")


def works_of(task: Task, sent_back_at: datetime | None) -> list[Work]:
    """Return the works of a task by their paths, what changed since it was sent back first; up to LISTED."""
    versions = ArtifactVersion.objects.filter(artifact__task=task, number=F("artifact__version"))
    rows = versions.select_related("artifact", "content").defer("content__data", "content__index")
    latest = list(rows.prefetch_related("artifact__paths").order_by("-created_at", "-pk")[:LISTED])
    reviewed = _reviewed(latest, sent_back_at)
    works = [_work(version, reviewed.get(version.artifact_id)) for version in latest]
    return sorted(works, key=lambda work: (work.is_unchanged, work.path))


def _reviewed(latest: Sequence[ArtifactVersion], sent_back_at: datetime | None) -> dict[int, int]:
    """Return the number of each work's version that was looked at before."""
    if sent_back_at is None:
        return {}
    rows = ArtifactVersion.objects.filter(
        artifact__in=[version.artifact_id for version in latest], created_at__lte=sent_back_at
    )
    return dict(rows.order_by().values_list("artifact").annotate(Max("number")))


def _work(version: ArtifactVersion, reviewed: int | None) -> Work:
    is_unchanged = reviewed == version.number
    before = version.number - 1 if reviewed is None or is_unchanged else reviewed
    return Work(version.artifact, version, before or None, is_unchanged)


def shown(works: Sequence[Work], wanted: Wanted, comments: Iterable[ReviewComment]) -> list[Shown]:
    """Show the one that is asked for, or the first of those that changed. Call it outside any transaction."""
    chosen = [work for work in works if work.artifact.public_id == wanted.alone]
    most = ROWS_ALONE if chosen else ROWS_TOGETHER
    chosen = chosen or ([work for work in works if not work.is_unchanged] or list(works))[:SHOWN_FILES]
    versions = _with_content(chosen)
    said: dict[int, list[ReviewComment]] = {}
    for comment in comments:
        if comment.version_id is not None:
            said.setdefault(comment.version_id, []).append(comment)
    return [_shown(work, wanted, versions, said, most) for work in chosen]


Versions = dict[tuple[int, int], ArtifactVersion]
Said = dict[int, list[ReviewComment]]


def _with_content(works: Sequence[Work]) -> Versions:
    """Read the new and the old versions of works with their contents."""
    rows = ArtifactVersion.objects.filter(artifact__in=[work.artifact.pk for work in works]).select_related("content")
    numbers = {number for work in works for number in (work.new.number, work.old_number) if number}
    return {(row.artifact_id, row.number): row for row in rows.filter(number__in=numbers)}


def _shown(work: Work, wanted: Wanted, versions: Versions, said: Said, most: int) -> Shown:
    new = versions[work.artifact.pk, work.new.number]
    old = versions.get((work.artifact.pk, work.old_number)) if work.old_number else None
    is_asked = wanted.on == work.artifact.public_id
    found = Shown(work, old=old, is_asked=is_asked)
    try:
        _fill(found, new, old, wanted, most)
    except Damaged as error:
        _fill_alone(found, new, wanted, most, error)
    _place(found, said.get(new.pk, []), said.get(old.pk, []) if old else [])
    _ask(found, wanted.line if is_asked else None)
    return found


def _fill_alone(found: Shown, new: ArtifactVersion, wanted: Wanted, most: int, why: Damaged) -> None:
    """Show a new version though the earlier one is damaged; of one that is damaged itself, only say so."""
    found.old, found.damage = None, why
    try:
        _fill(found, new, None, wanted, most)
    except Damaged as error:
        found.mode, found.damage = "damaged", error


def _fill(found: Shown, new: ArtifactVersion, old: ArtifactVersion | None, wanted: Wanted, most: int) -> None:
    if new.content.size_chars is None:
        found.mode = "image" if image_type(new.content) else "bytes"
        found.old = old if old is not None and image_type(old.content) else None
        return
    views = views_of(
        name_of(found.work.artifact), found.work.artifact.kind, excerpt_of(new.content, 0, RENDERED_CHARACTERS).text
    )
    found.has_markdown = View.RENDERED in views
    can_compare = old is not None and old.content.size_chars is not None
    if wanted.mode == View.RENDERED and found.has_markdown:
        _render(found, new, wanted)
    elif old is not None and can_compare and wanted.mode != View.SOURCE:
        _compare(found, old, new, wanted, most)
    else:
        _number(found, new, wanted, most)


def _render(found: Shown, new: ArtifactVersion, wanted: Wanted) -> None:
    text = excerpt_of(new.content, 0, RENDERED_CHARACTERS).text
    rendering = rendered(new.content, text, View.RENDERED, name_of(found.work.artifact))
    if rendering.html is None:
        _number(found, new, wanted, ROWS_TOGETHER)
        return
    found.mode, found.html, found.turns_text = View.RENDERED.value, rendering.html, turns_text(text)
    found.left_out = rendering.end < (new.content.size_chars or 0)


def _compare(found: Shown, old: ArtifactVersion, new: ArtifactVersion, wanted: Wanted, most: int) -> None:
    before, after = (excerpt_of(each.content, 0, COMPARED_CHARACTERS + 1).text for each in (old, new))
    found.mode, found.turns_text = CHANGES, turns_text(before + after)
    found.difference = difference(old.content, new.content, before, after)
    rows = list(islice(_rows(found.difference, wanted, found.work.artifact.public_id), most + 1))
    found.rows, found.left_out = rows[:most], len(rows) > most or found.difference.left_out > 0


def _rows(found: Difference, wanted: Wanted, work_id: str) -> Iterator[Placed]:
    lines, is_split = wanted.lines(work_id), wanted.layout == "split"
    for hunk in found.hunks:
        yield Placed(header=hunk.header)
        for row in hunk.rows if is_split else hunk.unified:
            html = lines.split(row) if is_split else lines.unified(row)
            yield Placed(html, row.new.number if row.new else None, row.old.number if row.old else None)


def _number(found: Shown, new: ArtifactVersion, wanted: Wanted, most: int) -> None:
    """Show the text itself in numbered lines, as far as its first part goes."""
    part = parts_of(new.content, 1)[0]
    found.mode, found.turns_text = View.SOURCE.value, turns_text(part.text)
    is_dense = part.lines > MOST_NUMBERED  # it has no numbers elsewhere; here the rows are cut
    html = plain_lines(part.text) if is_dense else coloured(new.content, part, name_of(found.work.artifact)).html
    texts = [line.removesuffix("</span>").removesuffix("\n") for line in _LINE.split(html)[1:]]
    lines = wanted.lines(found.work.artifact.public_id)
    found.rows = [Placed(lines.source(number, text), number) for number, text in enumerate(texts[:most], 1)]
    found.left_out = len(texts) > most or part.end < (new.content.size_chars or 0)


def _place(found: Shown, on_new: Sequence[ReviewComment], on_old: Sequence[ReviewComment]) -> None:
    """Put comments below the last of their lines that is shown."""
    new = {placed.number: placed for placed in found.rows if placed.number}
    old = {placed.old_number: placed for placed in found.rows if placed.old_number}
    for comments, rows in ((on_old, old), (on_new, new)):
        numbers = sorted(rows)
        for comment in comments:
            place = bisect_right(numbers, comment.end_line or 0) - 1
            if comment.line and place >= 0 and numbers[place] >= comment.line:
                rows[numbers[place]].comments.append(comment)
            else:
                found.loose.append(comment)


def _ask(found: Shown, line: int | None) -> None:
    """Open the form for a comment below a line, where that is shown."""
    for placed in found.rows:
        if line is not None and placed.number == line:
            placed.is_asked = True
            found.is_asked = False
