"""The text files of one folder in a project, which may hold anything: only plain ones, through no link, and bounded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePath

from orchestrator_site.kernel.folders import Folder, InTheWay, entered
from orchestrator_site.kernel.text import visible

PATH_LIMIT = 300
"""Characters of a path as it is shown, and as columns keep it."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most bytes of a file and of all together, how many files are read, and at how many names it looks."""

    file: int = 256 * 1024
    all_files: int = 512 * 1024
    files: int = 50
    names: int = 1000


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file by its path in the project, as messages show it; one that cannot be used has a `problem`."""

    file: str
    text: str = ""
    problem: str = ""


def text_files(root: str, folder: PurePath, pattern: str, bounds: Bounds) -> list[TextFile]:
    """Read the files of a folder below a project's own, by name; none where the project has no such folder."""
    if not root:
        return []
    try:
        with closing(Folder.at(Path(root))) as top, entered(top, folder.parts) as found:
            return list(_read_all(found, folder, pattern, bounds))
    except FileNotFoundError:
        return []
    except (InTheWay, OSError) as error:
        return [_unusable(str(folder), f"{_why(error)}; its files are not used")]


def _read_all(found: Folder, folder: PurePath, pattern: str, bounds: Bounds) -> Iterator[TextFile]:
    listed, left = found.names(bounds.names), bounds.all_files
    names = sorted(name for name in listed if fnmatchcase(name, pattern))
    for name in names[: bounds.files]:
        read, size = _read(found, name, visible(str(folder / name)), left, bounds)
        yield read
        left -= size
    if len(names) > bounds.files or len(listed) == bounds.names:
        yield _unusable(str(folder), f"more than {bounds.files} files; the others are not used")


def _read(folder: Folder, name: str, file: str, left: int, bounds: Bounds) -> tuple[TextFile, int]:
    """Read one file, and return how large it is. What all files hold is bounded, since parsing them takes time."""
    if len(file) > PATH_LIMIT:
        return _unusable(file[:PATH_LIMIT], f"a path longer than {PATH_LIMIT} characters; the file is not used"), 0
    limit = min(bounds.file, left)
    try:
        raw = folder.read(name, file, limit)
        if len(raw) > limit:
            what, most = ("", bounds.file) if limit == bounds.file else ("with the files before it ", bounds.all_files)
            return _unusable(file, f"{what}larger than {most // 1024} kB; the file is not used"), 0
        return TextFile(file, raw.decode("utf-8-sig")), len(raw)
    except (InTheWay, OSError, UnicodeDecodeError) as error:
        return _unusable(file, f"{_why(error)}; the file is not used"), 0


def _unusable(file: str, why: str) -> TextFile:
    return TextFile(file, problem=f"{file}: {why}")


def _why(error: InTheWay | OSError | UnicodeDecodeError) -> str:
    if isinstance(error, InTheWay):
        return f"{error.what} is in the way"
    return error.strerror or "unreadable" if isinstance(error, OSError) else "not UTF-8"
