"""`artifacts.json`: which files of a folder were written from which versions, and with which bytes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from artifacts.export.filenames import PlacedFile
from artifacts.export.safe_writer import Root
from tasks.models import Project

NAME = "artifacts.json"
_LIMIT = 256 * 1024 * 1024
_TYPES = {
    "file": str,
    "path": str,
    "artifact_id": str,
    "version": int,
    "task_id": str,
    "kind": str,
    "sha256": str,
    "size_bytes": int,
    "delivered_at": str,
}


class NotOurs(Exception):
    """The file of this name is not a manifest of ours."""


@dataclass(slots=True)
class Manifest:
    """The files by their names, each with its row."""

    project: Project
    files: dict[str, dict[str, Any]]

    @classmethod
    def read(cls, root: Root, project: Project) -> Manifest:
        """Read it; empty where there is none, or one of another project, such as one of another database.

        Raises NotOurs, InTheWay, OSError.
        """
        data = root.read(NAME, _LIMIT)
        if data is None:
            return cls(project, {})
        if len(data) > _LIMIT:
            raise NotOurs
        try:
            found = json.loads(data)
            rows = found["files"] if found["project_since"] == project.created_at.isoformat() else []
            return cls(project, {row["file"]: row for row in map(_checked, rows) if _is_below(row["file"])})
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise NotOurs from error

    def write(self, root: Root) -> None:
        """Write it, a line for each file. Raises InTheWay, OSError."""
        about = json.dumps({"project": self.project.slug, "project_since": self.project.created_at.isoformat()})
        rows = ",\n".join(json.dumps(self.files[file], ensure_ascii=False) for file in sorted(self.files))
        root.write(NAME, [f'{about[:-1]}, "files": [\n{rows}\n]}}\n'.encode()])

    def sha256(self, file: str) -> str | None:
        """Return the hash of the bytes that we wrote to a file; None where we wrote none."""
        return self.files[file]["sha256"] if file in self.files else None

    def note(self, placed: PlacedFile) -> None:
        self.files[placed.file] = row_of(placed)


def row_of(placed: PlacedFile) -> dict[str, Any]:
    version = placed.version
    return {
        "file": placed.file,
        "path": placed.path,
        "artifact_id": version.artifact_id,
        "version": version.number,
        "task_id": version.task_id,
        "kind": version.kind,
        "sha256": version.sha256,
        "size_bytes": version.size_bytes,
        "delivered_at": version.delivered_at.isoformat(),
    }


def _checked(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row that we may have written. Raises ValueError for what cannot be one, or cannot be written again."""
    if {name: type(value) for name, value in row.items()} != _TYPES or "\x00" in row["file"]:
        raise ValueError("not a row of ours")
    json.dumps(row, ensure_ascii=False).encode()
    return row


def _is_below(file: str) -> bool:
    """Whether the name leads to a file below the folder, since anyone may have edited the manifest."""
    return "\\" not in file and all(name not in ("", ".", "..") for name in file.split("/"))
