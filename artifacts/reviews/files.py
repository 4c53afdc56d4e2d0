"""The files of a task as a review shows them: compared with the version reviewed before, line by line."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from itertools import islice

from django.db.models import F, Max
from django.utils.safestring import SafeString

from artifacts.models import Artifact, ArtifactVersion, ReviewComment
from artifacts.rendering.difference import COMPARED_CHARACTERS, SHOWN_ROWS, Difference, difference, lines_of
from artifacts.rendering.excerpts import excerpt_of
from artifacts.rendering.images import image_type
from artifacts.rendering.lines import plain_lines
from artifacts.rendering.parts import MOST_NUMBERED, coloured, parts_of
from artifacts.rendering.views_of import RENDERED_CHARACTERS, View, name_of, rendered, views_of
from artifacts.reviews.rows import OPENED, DiffRows, DisplayRow, RowRenderer
from artifacts.storage import Damaged
from orchestrator_site.web.templatetags.formats import turns_text
from tasks.models import Task

CHANGES = "changes"
MODES = {CHANGES: "Changes", View.SOURCE.value: "Source", View.RENDERED.value: "Rendered"}
LAYOUTS = {"unified": "Unified", "split": "Split"}
LISTED = 200
MOST_OPENED = 50
SHOWN_FILES = 8
ROWS_TOGETHER, ROWS_ALONE = 300, 2_000  # lines per file when a page shows several files, and when it shows one
COLOURED_PARTS = 4
"""The most parts of each side of a difference that have colors."""
_LINE = re.compile(r'<span id="L(\d+)"[^>]*><a [^>]*></a>(.*)\n</span>')
_COMMENT = (
    '<a href="{}{}&amp;line={{n}}#remark" data-line="{{n}}" tabindex="-1" aria-label="Comment on line {{n}}">{{n}}</a>'
)


@dataclass(slots=True)
class File:
    artifact: Artifact
    new: ArtifactVersion
    old_number: int | None
    is_unchanged: bool  # since the last review

    @property
    def path(self) -> str:
        paths = self.artifact.paths.all()
        return paths[0].path if paths else self.artifact.public_id

    @property
    def parts(self) -> tuple[str, str, str]:
        return self.path.rpartition("/")


@dataclass(slots=True)
class DisplayFile:
    file: File
    mode: str = ""  # one of MODES, or `image`, `bytes` or `damaged`
    rows: list[DisplayRow] = field(default_factory=list)
    loose: list[ReviewComment] = field(default_factory=list)
    """Comments on the whole file and on lines that are not among the rows."""
    old: ArtifactVersion | None = None
    difference: Difference | None = None
    html: SafeString | None = None
    left_out: bool = False  # only a part is shown
    turns_text: bool = False
    damage: Damaged | None = None
    has_markdown: bool = False
    has_form: bool = False

    @property
    def threads(self) -> list[list[ReviewComment]]:
        return [[comment] for comment in self.loose] + [row.comments for row in self.rows if row.comments]


@dataclass(frozen=True, slots=True)
class Options:
    mode: str = ""
    layout: str = "unified"
    alone: str = ""
    on: str = ""
    line: int | None = None
    opened: tuple[str, ...] = ()  # `<file id>-<line>` for hidden lines that are shown from there on
    links: tuple[str, str] = ("{n}", "{n}")  # see RowRenderer
    form_url: str = ""
    """The URL that opens the comment form at a line, without the file id; empty for users who may not comment."""

    def renderer(self, file_id: str, *colours: dict[int, str]) -> RowRenderer:
        old, new = self.links
        return RowRenderer(
            file_id, old, _COMMENT.format(escape(self.form_url), file_id) if self.form_url else new, *colours
        )

    def opened_of(self, file_id: str) -> set[int]:
        found = [each.removeprefix(f"{file_id}-") for each in self.opened if each.startswith(f"{file_id}-")]
        return {int(number) for number in found if number.isascii() and number.isdigit() and len(number) < 10}


def files_of(task: Task, reviewed_at: datetime | None) -> list[File]:
    """Return up to LISTED files of a task by path, those that changed since the last review first."""
    versions = ArtifactVersion.objects.filter(artifact__task=task, number=F("artifact__version"))
    rows = versions.select_related("artifact", "content").defer("content__data", "content__index")
    latest = list(rows.prefetch_related("artifact__paths").order_by("-created_at", "-pk")[:LISTED])
    reviewed: dict[int, int] = {}
    if reviewed_at is not None:
        keys = [version.artifact_id for version in latest]
        seen_then = ArtifactVersion.objects.filter(artifact__in=keys, created_at__lte=reviewed_at).order_by()
        reviewed = dict(seen_then.values_list("artifact").annotate(Max("number")))
    files = []
    for version in latest:
        seen = reviewed.get(version.artifact_id)
        is_unchanged = seen == version.number
        before = version.number - 1 if seen is None or is_unchanged else seen
        files.append(File(version.artifact, version, before or None, is_unchanged))
    return sorted(files, key=lambda file: (file.is_unchanged, file.path))


def display(files: Sequence[File], options: Options, comments: Iterable[ReviewComment]) -> list[DisplayFile]:
    """Show the requested file, or the first that changed. Call it outside any transaction."""
    chosen = [file for file in files if file.artifact.public_id == options.alone]
    most = (ROWS_ALONE if chosen else ROWS_TOGETHER) + OPENED * len(options.opened)
    chosen = chosen or ([file for file in files if not file.is_unchanged] or list(files))[:SHOWN_FILES]
    rows = ArtifactVersion.objects.filter(artifact__in=[file.artifact.pk for file in chosen]).select_related("content")
    numbers = {number for file in chosen for number in (file.new.number, file.old_number) if number}
    versions = {(row.artifact_id, row.number): row for row in rows.filter(number__in=numbers)}
    by_version: dict[int, list[ReviewComment]] = {}
    for comment in comments:
        if comment.version_id is not None:
            by_version.setdefault(comment.version_id, []).append(comment)
    return [_display(file, options, versions, by_version, most) for file in chosen]


Versions = dict[tuple[int, int], ArtifactVersion]
Comments = dict[int, list[ReviewComment]]


def compared(artifact: Artifact, old: ArtifactVersion, new: ArtifactVersion, options: Options) -> DisplayFile:
    """Show any two versions of a file. Call it outside any transaction."""
    versions = {(artifact.pk, version.number): version for version in (old, new)}
    most = SHOWN_ROWS + OPENED * len(options.opened)
    return _display(File(artifact, new, old.number, False), options, versions, {}, most)


def _display(file: File, options: Options, versions: Versions, comments: Comments, most: int) -> DisplayFile:
    new = versions[file.artifact.pk, file.new.number]
    old = versions.get((file.artifact.pk, file.old_number)) if file.old_number else None
    view = DisplayFile(file, old=old, has_form=options.on == file.artifact.public_id)
    try:
        _fill(view, new, old, options, most)
    except Damaged as error:
        view.old, view.damage = None, error
        try:  # the new version may be intact
            _fill(view, new, None, options, most)
        except Damaged as damage:
            view.mode, view.damage = "damaged", damage
    _place_comments(view, comments.get(new.pk, []), comments.get(old.pk, []) if old else [])
    row_of = {row.number: row for row in view.rows if row.number}
    if view.has_form and options.line in row_of:
        row_of[options.line].has_form, view.has_form = True, False
    return view


def _fill(view: DisplayFile, new: ArtifactVersion, old: ArtifactVersion | None, options: Options, most: int) -> None:
    if new.content.size_chars is None:
        view.mode = "image" if image_type(new.content) else "bytes"
        view.old = old if old is not None and image_type(old.content) else None
        return
    artifact, text = view.file.artifact, excerpt_of(new.content, 0, RENDERED_CHARACTERS).text
    view.has_markdown = View.RENDERED in views_of(name_of(artifact), artifact.kind, text)
    can_compare = old is not None and old.content.size_chars is not None
    is_first = old is None and options.mode != View.SOURCE  # prose is read rendered where it is compared with nothing
    if view.has_markdown and (is_first or options.mode == View.RENDERED):
        rendering = rendered(new.content, text)
        if rendering.html is None:
            _number(view, new, options, ROWS_TOGETHER)
            return
        view.mode, view.html, view.turns_text = View.RENDERED.value, rendering.html, turns_text(text)
        view.left_out = rendering.end < (new.content.size_chars or 0)
    elif old is not None and can_compare and options.mode != View.SOURCE:
        _compare(view, old, new, options, most)
    else:
        _number(view, new, options, most)


def _compare(view: DisplayFile, old: ArtifactVersion, new: ArtifactVersion, options: Options, most: int) -> None:
    before, after = (excerpt_of(each.content, 0, COMPARED_CHARACTERS + 1).text for each in (old, new))
    view.mode, view.turns_text = CHANGES, turns_text(before + after)
    view.difference = difference(old.content, new.content, before, after)
    file_id, name = view.file.artifact.public_id, name_of(view.file.artifact)
    renderer = options.renderer(file_id, _coloured(old, name), _coloured(new, name))
    shown = DiffRows(renderer, options.layout == "split", lines_of(after), options.opened_of(file_id))
    rows = list(islice(shown.of(view.difference), most + 1))
    view.rows, view.left_out = rows[:most], len(rows) > most or view.difference.left_out > 0


def _coloured(version: ArtifactVersion, name: str) -> dict[int, str]:
    """Return the first lines of a text with colors, by their numbers."""
    parts = parts_of(version.content, 1, COLOURED_PARTS)
    return dict(
        line
        for part in parts
        if part.lines <= MOST_NUMBERED
        for line in _lines(coloured(version.content, part, name).html)
    )


def _lines(html: str) -> list[tuple[int, str]]:
    return [(int(number), line) for number, line in _LINE.findall(html)]


def _number(view: DisplayFile, new: ArtifactVersion, options: Options, most: int) -> None:
    part = parts_of(new.content, 1)[0]
    view.mode, view.turns_text = View.SOURCE.value, turns_text(part.text)
    is_dense = part.lines > MOST_NUMBERED  # too many lines for numbers elsewhere; here the rows are cut
    html = plain_lines(part.text) if is_dense else coloured(new.content, part, name_of(view.file.artifact)).html
    texts = _lines(html)
    renderer = options.renderer(view.file.artifact.public_id)
    view.rows = [DisplayRow(renderer.source(number, text), number=number) for number, text in texts[:most]]
    view.left_out = len(texts) > most or part.end < (new.content.size_chars or 0)


def _place_comments(view: DisplayFile, on_new: Sequence[ReviewComment], on_old: Sequence[ReviewComment]) -> None:
    new = {row.number: row for row in view.rows if row.number}
    old = {row.old_number: row for row in view.rows if row.old_number}
    for comments, rows in ((on_old, old), (on_new, new)):
        numbers = sorted(rows)
        for comment in comments:
            place = bisect_right(numbers, comment.end_line or 0) - 1
            if comment.line and place >= 0 and numbers[place] >= comment.line:
                rows[numbers[place]].comments.append(comment)
            else:
                view.loose.append(comment)
