"""`artifacts.json`: which files of a folder we wrote, of which work, and with which bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from artifacts.export.filenames import Placed
from artifacts.export.safe_writer import Root
from tasks.models import Project

NAME = "artifacts.json"
_LIMIT = 256 * 1024 * 1024
_FACTS = ("path", "artifact_id", "version", "task_id", "kind", "sha256", "size_bytes", "delivered_at")
_NUMBERS = ("version", "size_bytes")


class NotOurs(Exception):
    """The file of this name is no manifest."""


@dataclass(slots=True)
class Manifest:
    """The files by their names, each with its facts."""

    project: Project
    files: dict[str, dict[str, Any]]

    @classmethod
    def read(cls, root: Root, project: Project) -> Manifest:
        """Read what is there; nothing where there is none, or one of another project, such as one of another database.

        Raises NotOurs, InTheWay, OSError.
        """
        data = root.read(NAME, _LIMIT)
        if data is None:
            return cls(project, {})
        try:
            said = json.loads(data)
            rows = said["files"] if said["project_since"] == project.created_at.isoformat() else []
            return cls(project, {row["file"]: _facts(row) for row in rows if _is_below(row["file"])})
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise NotOurs from error

    def write(self, root: Root) -> None:
        """Write it, a line for each file. Raises InTheWay, OSError."""
        root.write(NAME, self._lines())

    def sha256(self, file: str) -> str | None:
        """Return the hash of the bytes that we wrote to a file; None where we did not."""
        return self.files[file]["sha256"] if file in self.files else None

    def note(self, placed: Placed) -> None:
        """Note that a file is as it should be."""
        self.files[placed.file] = facts_of(placed)

    def _lines(self) -> Iterator[bytes]:
        about = {"project": self.project.slug, "project_since": self.project.created_at.isoformat()}
        yield f'{json.dumps(about)[:-1]}, "files": ['.encode()
        for number, file in enumerate(sorted(self.files)):
            row = json.dumps({"file": file, **self.files[file]}, ensure_ascii=False)
            yield f"{',' if number else ''}\n{row}".encode()
        yield b"\n]}\n"


def facts_of(placed: Placed) -> dict[str, Any]:
    """Return what the manifest tells of a file."""
    work = placed.work
    moment = work.delivered_at.isoformat()
    values = (placed.path, work.artifact_id, work.number, work.task_id, work.kind, work.sha256, work.size_bytes, moment)
    return dict(zip(_FACTS, values, strict=True))


def _facts(row: dict[str, Any]) -> dict[str, Any]:
    """Read what is told of a file. Raises ValueError for what we would not have written, and cannot write again."""
    facts = {name: row[name] for name in _FACTS}
    if any(type(value) is not (int if name in _NUMBERS else str) for name, value in facts.items()):
        raise ValueError("a fact of another type")
    json.dumps(facts, ensure_ascii=False).encode()
    return facts


def _is_below(file: str) -> bool:
    """Whether a name that somebody may have written leads to a file below the folder. Raises ValueError for no name."""
    if b"\x00" in file.encode():
        raise ValueError("no name of a file")
    return "\\" not in file and all(name not in ("", ".", "..") for name in file.split("/"))
