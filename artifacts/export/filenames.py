"""Which file each version becomes where files are made: in an export, in the mirror and in a zip.

A version lies at its own paths, or without any at `<task_id>/<artifact_id>.<ext>`. Where two claim one name, the latest
delivery gets it. What cannot lie where it belongs gets `~<artifact_id>` after its name: an earlier delivery, a file
where others have a folder, a name that differs only in letter case, or one that some system cannot hold.

Git runs commands that the configuration of a repository names, and so does Mercurial, so no folder becomes one. Neither
`.git` nor `.hg`, in any spelling that they take for it on some system, nor a file `HEAD`, without which no folder is a
repository of Git, is the name of a file here. `HEAD` is changed wherever it lies, since several exports and zips may
meet in one folder. What `.gitignore`, `.gitattributes` and `.gitmodules` say is never run unless a configuration names
it too, so they stay.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import PurePosixPath

from artifacts.media_types import extension_of

NAME_BYTES, MARKED_BYTES = 180, 255
"""How long a name may be, and with marks after it, which is what systems hold."""
SUFFIX_CHARACTERS = 20
PRIVATE = ".artifacts-"
"""How the names of our own files begin: locks and drafts."""
_RESERVED = re.compile(
    r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)\s*(\..*)?", re.IGNORECASE | re.DOTALL
)
_FORBIDDEN = re.compile(r'[<>:"|?*\\/\x00-\x1f\x7f]')
_AT_THE_END = re.compile(r"[. ]+$")
_REPOSITORIES = re.compile(r"(\.(git|hg)|(git|hg)~[0-9]+)[. ]*([:\\].*)?", re.DOTALL)
_JOINERS = "\u200c\u200d"  # some scripts are written with them
# Default_Ignorable_Code_Point in Unicode's DerivedCoreProperties.txt: some systems do not see these.
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


@dataclass(frozen=True, slots=True)
class ExportedVersion:
    """A version that a file is made of. `place` grows with each delivery."""

    paths: tuple[str, ...]
    is_latest: bool
    place: int
    number: int
    artifact_id: str
    task_id: str
    kind: str
    sha256: str
    size_bytes: int
    media_type: str
    delivered_at: datetime
    content_id: int


@dataclass(frozen=True, slots=True)
class PlacedFile:
    """A file to be made: its name, the logical path that it is for, and its version."""

    file: str
    path: str
    version: ExportedVersion


def place_files(versions: Iterable[ExportedVersion], *, taken: Iterable[str] = ()) -> list[PlacedFile]:
    """Give each version its files, sorted by name; `taken` names at the top are left to others."""
    others = {_key(name) for name in taken}
    claims: list[PlacedFile] = []
    for version in versions:
        named = version.paths or (f"{version.task_id}/{version.artifact_id}{extension_of(version.media_type)}",)
        for path in named:
            file = safe_path(path, others)
            claims.append(PlacedFile(file if version.is_latest else marked(file, f"~v{version.number}"), path, version))
    claims.sort(key=lambda claim: (not claim.version.is_latest, -claim.version.place, claim.path))
    used = {key for claim in claims for key in _folders(claim.file)}
    placed, displaced = list[PlacedFile](), list[PlacedFile]()
    for claim in claims:
        is_placed = safe_path(claim.path, others) == claim.path and _take(claim.file, used)
        (placed if is_placed else displaced).append(claim)
    placed += [PlacedFile(_beside(claim, used), claim.path, claim.version) for claim in displaced]
    return sorted(placed, key=lambda each: each.file)


def safe_name(name: str, mark: str) -> str:
    """Return a name as every system can hold it; one that had to be changed gets the mark."""
    safe = _safe(name)
    return safe if safe == name else marked(safe, mark)


def marked(file: str, mark: str) -> str:
    """Put a mark before the suffix of a file's name, so that it still opens with the right program."""
    folder, slash, name = file.rpartition("/")
    return folder + slash + _fitted(name, mark, MARKED_BYTES)


def safe_path(path: str, others: Collection[str]) -> str:
    """Return a path that every system can hold, and that others do not have."""
    top, *below = [_safe(name) for name in path.split("/")]
    if _key(top) in others or _key(top).startswith(PRIVATE):
        top = f"_{top}"
    *folders, name = top, *below
    return "/".join([*folders, f"_{name}" if _folded(name) == "head" else name])


def _beside(claim: PlacedFile, used: set[str]) -> str:
    """Return a free name beside the one that cannot be had."""
    marks = (f"~{claim.version.artifact_id}{f'~{number}' if number > 1 else ''}" for number in count(1))
    return next(file for mark in marks if _take(file := marked(claim.file, mark), used))


def _take(file: str, used: set[str]) -> bool:
    is_free = _key(file) not in used
    used.add(_key(file))
    return is_free


def _safe(name: str) -> str:
    """Replace what some system cannot hold in a name, but keep its suffix."""
    safe = _AT_THE_END.sub(lambda found: "_" * len(found[0]), _FORBIDDEN.sub("_", _plain(name)))
    safe = safe if len(safe.encode()) <= NAME_BYTES else _fitted(safe, "", NAME_BYTES)
    is_taken = _RESERVED.fullmatch(safe) or any(_REPOSITORIES.fullmatch(_folded(each)) for each in (name, safe))
    return f"_{safe}" if is_taken else safe


def _plain(name: str) -> str:
    """Replace characters that steer a terminal, reverse text or do not show."""
    return name if name.isascii() else "".join("_" if _steers(char) else char for char in name)


def _steers(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") and char not in _JOINERS


def _folded(name: str) -> str:
    """Return a name as the most tolerant system compares it: without case, forms of letters and what does not show."""
    seen = (char for char in _UNSEEN.sub("", name) if not _steers(char))
    return name.lower() if name.isascii() else unicodedata.normalize("NFKC", "".join(seen)).casefold()


def _fitted(name: str, mark: str, size: int) -> str:
    suffix = PurePosixPath(name).suffix
    suffix = suffix if len(suffix) <= SUFFIX_CHARACTERS else ""
    stem = name.removesuffix(suffix).encode()[: size - len(f"{mark}{suffix}".encode())]
    return _AT_THE_END.sub("_", stem.decode(errors="ignore")) + mark + suffix


def _key(file: str) -> str:
    """Return the same for two names that some system takes for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", _UNSEEN.sub("", file)).casefold())


def _folders(file: str) -> Iterable[str]:
    while "/" in file:
        file = file.rpartition("/")[0]
        yield _key(file)
