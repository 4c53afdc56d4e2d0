"""Which file each delivered work becomes where files are made of it: in an export, in the mirror and in a zip.

A work lies at its own paths. One without a path is `<task_id>/<artifact_id>.<ext>`. Where two claim one place, the work
that was delivered last has it. Whoever cannot lie where it belongs gets `~<artifact_id>` behind its name: an earlier
work, a file where others have a folder, a name that differs in letter case alone, or one that some system cannot hold.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import PurePosixPath

from artifacts.media_types import extension_of

NAME_BYTES, MARKED_BYTES = 180, 255
"""How long a name may be, so that there is room for marks behind it, and with these: what systems hold."""
ENDING_CHARACTERS = 20
PRIVATE = ".artifacts-"
"""How the names of files begin that are no works: locks, and what is being written."""
_RESERVED = re.compile(
    r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)\s*(\..*)?", re.IGNORECASE | re.DOTALL
)
_FORBIDDEN = re.compile(r'[<>:"|?*\\/\x00-\x1f\x7f]')
_AT_THE_END = re.compile(r"[. ]+$")


@dataclass(frozen=True, slots=True)
class Work:
    """A version that a file is made of. `place` grows with each delivery; `paths` are empty for one without any."""

    place: int
    number: int
    is_latest: bool
    artifact_id: str
    task_id: str
    kind: str
    sha256: str
    size_bytes: int
    media_type: str
    delivered_at: datetime
    content_id: int
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Placed:
    """A file to be made: where it goes, the logical path that it stands for, and of what it is made."""

    file: str
    path: str
    work: Work


def laid_out(works: Iterable[Work], *, taken: Iterable[str] = ()) -> list[Placed]:
    """Give each work its files, in the order of their names; `taken` names at the top are left to others."""
    others = {_key(name) for name in taken}
    claims = [_Claim(work, path, others) for work in works for path in work.paths or (_pathless(work),)]
    claims.sort(key=lambda claim: (not claim.work.is_latest, -claim.work.place, claim.path))
    used = {key for claim in claims for key in _above(claim.file)}
    placed = [claim.at_its_place(used) for claim in claims]
    placed += [claim.beside(used) for claim, found in zip(claims, placed, strict=True) if found is None]
    return sorted(filter(None, placed), key=lambda each: each.file)


class _Claim:
    """A work that wants to lie at a path."""

    def __init__(self, work: Work, path: str, others: set[str]) -> None:
        self.work = work
        self.path = path
        top, *below = [_safe(name) for name in path.split("/")]
        names = [f"_{top}" if _key(top) in others or _key(top).startswith(PRIVATE) else top, *below]
        self.is_changed = "/".join(names) != path
        if not work.is_latest:
            names[-1] = marked(names[-1], f"~v{work.number}")
        self.file = "/".join(names)

    def at_its_place(self, used: set[str]) -> Placed | None:
        """Take the place that is wanted, where it can be had."""
        return None if self.is_changed else self._take(self.file, used)

    def beside(self, used: set[str]) -> Placed | None:
        """Take the place beside it."""
        folder, slash, name = self.file.rpartition("/")
        marks = (f"~{self.work.artifact_id}{f'~{number}' if number > 1 else ''}" for number in count(1))
        tries = (self._take(folder + slash + marked(name, mark), used) for mark in marks)
        return next(filter(None, tries))

    def _take(self, file: str, used: set[str]) -> Placed | None:
        if _key(file) in used:
            return None
        used.add(_key(file))
        return Placed(file, self.path, self.work)


def safe_name(name: str, mark: str) -> str:
    """Return a name as every system can hold it; one that had to be changed gets the mark."""
    safe = _safe(name)
    return safe if safe == name else marked(safe, mark)


def _pathless(work: Work) -> str:
    return f"{work.task_id}/{work.artifact_id}{extension_of(work.media_type)}"


def _safe(name: str) -> str:
    """Change what a name holds that some system cannot; what ends it stays."""
    safe = _AT_THE_END.sub(lambda found: "_" * len(found[0]), _FORBIDDEN.sub("_", name))
    if _RESERVED.fullmatch(safe):
        safe = f"_{safe}"
    return safe if len(safe.encode()) <= NAME_BYTES else _fitted(safe, "", NAME_BYTES)


def marked(name: str, mark: str) -> str:
    """Put a mark before what ends a name, so that it still opens with the right program."""
    return _fitted(name, mark, MARKED_BYTES)


def _fitted(name: str, mark: str, size: int) -> str:
    suffix = PurePosixPath(name).suffix
    ending = suffix if len(suffix) <= ENDING_CHARACTERS else ""
    stem = name.removesuffix(ending).encode()[: size - len(f"{mark}{ending}".encode())]
    return _AT_THE_END.sub("_", stem.decode(errors="ignore")) + mark + ending


def _key(file: str) -> str:
    """What two names have in common that some system takes for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", file).casefold())


def _above(file: str) -> Iterable[str]:
    while "/" in file:
        file = file.rpartition("/")[0]
        yield _key(file)
