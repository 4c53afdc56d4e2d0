"""The tree of a project: logical paths as folders and files, read one folder at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Exists, F, OuterRef, Q

from artifacts.media_types import extension_of
from artifacts.models import Artifact, ArtifactPath, ArtifactVersion
from artifacts.paths import normalised
from orchestrator_site.kernel.errors import Invalid, NotFound
from tasks.models import Project

PATHLESS = "(no path)"  # the name of the folder of artifacts without a path, which no path can have
BESIDE = 60  # folders and files that are listed beside an artifact
_LAST = "\U0010ffff" * 256  # after every name
# From each folder to the first one after everything below it, so that only what is listed is read.
_SUBFOLDERS = """
WITH RECURSIVE hop(name) AS (
    SELECT {name_of_first}
    UNION ALL
    SELECT {name_of_next} FROM hop WHERE hop.name IS NOT NULL
)
SELECT name FROM hop WHERE name IS NOT NULL LIMIT %(limit)s
"""
_FIRST_FROM = """(
    SELECT substr(folder, %(length)s + 1, {position}(substr(folder, %(length)s + 1), '/') - 1)
    FROM artifacts_artifactpath
    WHERE project_id = %(project)s AND folder {bytes} >= {start} AND folder {bytes} < %(end)s
    ORDER BY folder {bytes} LIMIT 1
)"""
_BELOW = """
SELECT {place}, count(*), sum(size_bytes), max(updated_at) FROM (
    SELECT size_bytes, updated_at FROM artifacts_artifactpath p
    JOIN artifacts_artifact a ON a.id = p.artifact_id
    JOIN artifacts_artifactversion v ON v.artifact_id = a.id AND v.number = a.version
    JOIN artifacts_content c ON c.id = v.content_id
    WHERE p.project_id = %s AND folder {bytes} >= %s AND folder {bytes} < %s LIMIT %s
) AS below"""
_SUMMED, _SUMMED_EACH = 4_000, 40  # files that are read to sum folders up: on a page, and at least of each


@dataclass(frozen=True, slots=True)
class File:
    key: int
    name: str
    path: str
    artifact_id: str
    kind: str
    version: int
    size_bytes: int
    task_id: str
    task_title: str
    updated_at: datetime


class Folder(NamedTuple):
    """A folder with what is below it. There may be more files where the size is None."""

    name: str
    files: int
    size_bytes: int | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of a folder: the names of folders in it, then files. `cursor` is the next page, where there is one."""

    path: str
    folders: list[str]
    files: list[File]
    cursor: str | None
    has_pathless: bool = False

    @property
    def is_empty(self) -> bool:
        return not (self.folders or self.files or self.has_pathless)

    @property
    def trail(self) -> list[tuple[str, str]]:
        names = self.path.split("/")[:-1]
        return [(name, "/".join(names[: place + 1])) for place, name in enumerate(names)]


def folder_at(path: str) -> str:
    """Return a folder as paths in it begin: empty for the top, else ending with `/`. Raises NotFound."""
    try:
        return normalised(f"{path}/x")[:-1]
    except ValueError as error:
        raise NotFound(f"There is no such folder: the path {error}.", next="Send a folder, as src/app/.") from error


def folder_of(
    project: Project, path: str, *, is_pathless: bool = False, limit: int, cursor: str | None = None
) -> Listing:
    """List a folder: what is directly in it, folders first, sorted by name; or the artifacts without a path.

    Raises Invalid for a bad cursor, NotFound where there is no such folder.
    """
    if is_pathless:
        return pathless_of(project, limit=limit, cursor=cursor)
    folder = folder_at(path)
    kind, key, name = _place(cursor)
    folders = _subfolders(project, folder, name, limit + 1) if kind == "folder" else []
    left = max(limit - len(folders), 0)
    rows = _files(project, folder, key, name if kind == "file" else "", left + 1) if len(folders) <= limit else []
    if folder and cursor is None and not (folders or rows):
        raise NotFound(f"There is no folder {folder[:300]!r} in project {project.slug}.", next="List the one above it.")
    more = None
    if len(folders) + len(rows) > limit:
        last = rows[:left][-1:]
        more = f"file:{last[0].key}:{last[0].name}" if last else f"folder:0:{folders[limit - 1]}"
    has_pathless = not folder and cursor is None and _pathless(project).exists()
    # The index has `src-old/` before `src/`; people expect it after.
    return Listing(folder, sorted(folders[:limit]), rows[:left], more, has_pathless)


def summed(project: Project, listing: Listing) -> Iterator[Folder]:
    """Sum up what is below each folder of a listing, up to a bounded number of files."""
    if not listing.folders:
        return
    most = max(_SUMMED // len(listing.folders), _SUMMED_EACH)
    starts = [f"{listing.path}{name}" for name in listing.folders]
    queries = [_BELOW.format(place=place, bytes=_bytes()) for place in range(len(starts))]
    facts = [fact for start in starts for fact in (project.pk, f"{start}/", f"{start}0", most)]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(queries), facts)
        rows = sorted(cursor.fetchall())
    for name, (_, files, size, newest) in zip(listing.folders, rows, strict=True):
        if isinstance(newest, str):  # SQLite has no type for times
            newest = datetime.fromisoformat(newest).replace(tzinfo=UTC)
        yield Folder(name, files, size, newest) if files < most else Folder(name, files)


def _bytes() -> str:
    return "COLLATE BINARY" if connection.vendor == "sqlite" else 'COLLATE "C"'


def pathless_of(project: Project, *, limit: int, cursor: str | None = None) -> Listing:
    """List the artifacts without a path, the newest first, named by their ids. Raises Invalid for a bad cursor."""
    kind, key, _ = _place(cursor)
    artifacts = _pathless(project).filter(pk__lt=key) if kind == "file" else _pathless(project)
    keys = list(artifacts.order_by("-pk").values_list("pk", flat=True)[: limit + 1])
    facts = _facts(keys[:limit])
    files = [_file(facts[key], None) for key in keys[:limit]]
    return Listing("", [], files, f"file:{files[-1].key}:" if len(keys) > limit else None)


def beside(artifact: Artifact) -> Listing:
    """List the folder of an artifact's first path, or the top; where it is long, from the artifact on."""
    paths = artifact.paths.all()
    if not paths:
        return folder_of(artifact.project, "", limit=BESIDE)
    folder, _, name = paths[0].path.rpartition("/")
    listing = folder_of(artifact.project, folder, limit=BESIDE)
    if listing.cursor is None or any(file.artifact_id == artifact.public_id for file in listing.files):
        return listing
    return folder_of(artifact.project, folder, limit=BESIDE, cursor=f"file:{artifact.pk - 1}:{name}")


def _subfolders(project: Project, folder: str, after: str, limit: int) -> list[str]:
    start = f"{folder}{after}0" if after else f"{folder}\x01"  # "0" comes right after "/"
    words = {"position": "instr" if connection.vendor == "sqlite" else "strpos", "bytes": _bytes()}
    first = _FIRST_FROM.format(start="%(start)s", **words)
    following = _FIRST_FROM.format(start="%(folder)s || hop.name || '0'", **words)
    facts: dict[str, int | str] = {
        "project": project.pk,
        "folder": folder,
        "length": len(folder),
        "start": start,
        "end": f"{folder[:-1]}0" if folder else _LAST,
        "limit": limit,
    }
    with connection.cursor() as cursor:
        cursor.execute(_SUBFOLDERS.format(name_of_first=first, name_of_next=following), facts)
        return [row[0] for row in cursor.fetchall()]


def _files(project: Project, folder: str, key: int, after: str, limit: int) -> list[File]:
    rows = ArtifactPath.objects.filter(project=project, folder=folder).order_by("path", "artifact_id")
    if after:
        last = f"{folder}{after}"
        rows = rows.filter(Q(path__gt=last) | Q(path=last, artifact_id__gt=key), path__gte=last)
    found = list(rows.values_list("artifact_id", "path")[:limit])
    facts = _facts([key for key, _ in found])
    return [_file(facts[key], path) for key, path in found if key in facts]


def _pathless(project: Project) -> Any:
    return Artifact.objects.filter(~Exists(ArtifactPath.objects.filter(artifact=OuterRef("pk"))), project=project)


def _facts(keys: Iterable[int]) -> dict[int, Any]:
    rows = ArtifactVersion.objects.filter(artifact__in=list(keys), number=F("artifact__version")).order_by()
    rows = rows.select_related("artifact__task", "content").only(
        "number", "media_type", "content__size_bytes", "artifact__public_id", "artifact__kind", "artifact__updated_at",
        "artifact__task__public_id", "artifact__task__title",
    )  # fmt: skip
    return {row.artifact_id: row for row in rows}


def _file(version: ArtifactVersion, path: str | None) -> File:
    artifact = version.artifact
    path = path or f"{artifact.public_id}{extension_of(version.media_type)}"
    return File(
        key=artifact.pk,
        name=path.rpartition("/")[2],
        path=path,
        artifact_id=artifact.public_id,
        kind=artifact.kind,
        version=version.number,
        size_bytes=version.content.size_bytes,
        task_id=artifact.task.public_id,
        task_title=artifact.task.title,
        updated_at=artifact.updated_at,
    )


def _place(cursor: str | None) -> tuple[str, int, str]:
    kind, _, rest = ("folder:0:" if cursor is None else cursor).partition(":")
    key, colon, name = rest.partition(":")
    is_number = key.isascii() and key.isdigit() and len(key) <= 18
    if kind not in ("folder", "file") or not (colon and is_number) or "/" in name or "\x00" in name:
        raise Invalid("cursor: this is no cursor of this list.", next="Follow next as it was answered.")
    return kind, int(key), name
