"""What a folder's files hold, as one fingerprint: whatever of them is committed or staged. It changes nothing.

Everything is read here or by the parts of dulwich that only parse, so nothing that a repository names is run: no hook,
no filter, no monitor. What Git ignores does not count, nor do other repositories within the folder. The index says of
most files what they hold, as long as they look as they did then; those that do not are read.
"""

from __future__ import annotations

import hashlib
import os
import platform
import stat
import struct
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO
from itertools import islice
from pathlib import Path

from dulwich.index import SerializedIndexEntry, Stage, UnsupportedIndexFormat, read_index
from dulwich.object_format import SHA1, SHA256, ObjectFormat

from orchestrator_site.kernel.errors import Conflict, TooLarge, Transient
from orchestrator_site.kernel.files import disk_fault
from orchestrator_site.kernel.folders import InTheWay, opened_file, read_within
from tasks.gates.ignoring import Rule, rules_in
from tasks.repositories import git_of, place_of

FILES_LIMIT = 200_000
BYTES_LIMIT = 2 * 1024**3
SECONDS_LIMIT = 30.0
_INDEX_LIMIT = 256 * 1024**2
_SMALL = 1024**2
_PATH_LIMIT = 4096
_OURS = ".task_orchestrator"
_CHUNK = 1024**2
_GITLINK, _LINK = 0o160000, "l"
_CLOSED = "closed"  # another account's: it counts as one that holds this
# What makes Git store other bytes than a file has; then its index says nothing of them.
_CONVERSIONS = (b"text", b"eol", b"crlf", b"filter", b"ident", b"encoding")
_CONVERTING_SETTINGS = (b"autocrlf", b"attributesfile")
_Ignoring = list[tuple[int, list[Rule]]]  # rules, each list with the depth of its folder
_Folder = tuple[str, int, _Ignoring, bool]  # its path and depth, and whether it is ignored itself
_IGNORED = "Let Git ignore what is built or downloaded, or look at the project's folder."


@dataclass(frozen=True, slots=True)
class Tree:
    """`fingerprint` is empty where the folder is no working tree of Git; `files` has the hash of each by its path."""

    fingerprint: str = ""
    commit: str = ""
    files: dict[str, str] = field(default_factory=dict)

    def changed_to(self, later: Tree) -> list[str]:
        """Return the paths that differ, in order."""
        return sorted({path for path, _ in self.files.items() ^ later.files.items()})


def read_tree(folder: Path, *, besides: Collection[str] = ()) -> Tree:
    """Read the files of the working tree that a folder is in, but for `besides`, paths that begin in that folder.

    Raises TooLarge for more than can be read, Conflict where the index cannot be read, what `disk_fault` makes else.
    """
    top = _top_of(folder)
    found = git_of(top)
    if found is None:
        return Tree()
    left_out = frozenset(os.path.relpath(folder / each, top).replace(os.sep, "/") for each in besides)
    try:
        files = _Reader(top, *found, left_out).read()
    except OSError as error:
        raise disk_fault("The project's files cannot be read", error) from error
    lines = b"".join(b"%s %s\0" % (files[path].encode(), os.fsencode(path)) for path in sorted(files, key=os.fsencode))
    return Tree(hashlib.sha256(lines).hexdigest(), head_of(*found), files)


def key_of(folder: Path) -> str:
    """Return by what evidence names the working tree that it is about: it says neither the machine nor the path."""
    return hashlib.sha256(f"{platform.node()}\0{_top_of(folder)}".encode(errors="replace")).hexdigest()[:16]


def _top_of(folder: Path) -> Path:
    return place_of(Path(os.path.realpath(folder))).inside[-1]


def head_of(git: Path, common: Path) -> str:
    """Return the commit that is checked out; empty where there is none yet."""
    name = content_of(git / "HEAD", _SMALL).decode(errors="replace").strip()
    if not name.startswith("ref: "):
        return name
    name = name.removeprefix("ref: ").strip()
    if not name.startswith("refs/") or ".." in name:
        return ""
    if loose := content_of(common / name, _SMALL).decode(errors="replace").strip():
        return loose
    packed = content_of(common / "packed-refs", _INDEX_LIMIT).decode(errors="replace").splitlines()
    return next((line.partition(" ")[0] for line in packed if line.partition(" ")[2] == name), "")


def format_of(common: Path) -> ObjectFormat:
    """Return by which hashes a repository names its objects."""
    return SHA256 if b"objectformat = sha256" in content_of(common / "config", _SMALL).lower() else SHA1


class _Reader:
    """Reads one working tree, once."""

    def __init__(self, top: Path, git: Path, common: Path, besides: frozenset[str]) -> None:
        self._top, self._besides = str(top), besides
        settings = content_of(common / "config", _SMALL).lower()
        self._format = format_of(common)
        self._index, self._indexed_at = self._read_index(git / "index")
        self._folders = {folder for path in self._index for folder in _above(path)}
        self._is_converted = (
            os.name == "nt"
            or any(word in settings for word in _CONVERTING_SETTINGS)
            or any(word in attributes for attributes in self._attributes(common) for word in _CONVERSIONS)
        )
        self._ignoring: _Ignoring = [(0, _users_rules()), (0, rules_in(content_of(common / "info/exclude", _SMALL)))]
        self._files: dict[str, str] = {}
        self._bytes = 0
        self._until = time.monotonic() + SECONDS_LIMIT

    def read(self) -> dict[str, str]:
        waiting: list[_Folder] = [("", 0, self._ignoring, False)]
        while waiting:
            waiting += self._walk(*waiting.pop())
        return self._files

    def _read_index(self, file: Path) -> tuple[dict[str, SerializedIndexEntry], int]:
        raw = content_of(file, _INDEX_LIMIT)
        if not raw:
            return {}, 0
        try:
            entries = list(islice(_entries(raw, self._format), FILES_LIMIT + 1))
        except (ValueError, AssertionError, LookupError, struct.error, UnsupportedIndexFormat) as error:
            raise Conflict(
                "The index of the project's repository cannot be read.", next="Ask Git what is wrong: git status."
            ) from error
        named = {os.fsdecode(entry.name): entry for entry in entries if entry.stage() == Stage.NORMAL}
        return named, file.stat().st_mtime_ns

    def _attributes(self, common: Path) -> Iterator[bytes]:
        yield content_of(common / "info/attributes", _SMALL)
        named = {path for path in self._index if path.endswith(".gitattributes")} | {".gitattributes"}
        yield from (content_of(Path(self._top, path), _SMALL) for path in named)

    def _walk(self, folder: str, depth: int, ignoring: _Ignoring, ignored: bool) -> Iterator[_Folder]:
        """Note the files of a folder, and yield its folders; in an ignored one only what Git keeps nevertheless."""
        listed = self._listed(folder)
        if any(entry.name == ".gitignore" for entry in listed):
            own = rules_in(content_of(Path(self._top, folder, ".gitignore"), _SMALL))
            ignoring = [*ignoring, (depth, own)]
        for entry in listed:
            if time.monotonic() > self._until:
                raise Transient(
                    f"The project's files take longer to read than {SECONDS_LIMIT:.0f} seconds.", next=_IGNORED
                )
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.name in (".git", _OURS) or path in self._besides:
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from self._entered(path, depth + 1, ignoring, ignored)
            elif path in self._index or not (ignored or _is_ignored(path, ignoring, is_folder=False)):
                self._note(path, entry)

    def _listed(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(os.path.join(self._top, folder)) as entries:  # noqa: PTH118
                return list(entries)
        except PermissionError:
            self._files[folder] = _CLOSED
        except (FileNotFoundError, NotADirectoryError):  # it has just been removed
            pass
        return []

    def _entered(self, path: str, depth: int, ignoring: _Ignoring, ignored: bool) -> Iterator[_Folder]:
        ignored = ignored or _is_ignored(path, ignoring, is_folder=True)
        kept = self._index.get(path)
        is_submodule = kept is not None and kept.mode == _GITLINK
        is_kept = path in self._folders or is_submodule
        if is_kept or not (ignored or os.path.lexists(os.path.join(self._top, path, ".git"))):  # noqa: PTH118
            yield path, depth, ignoring, ignored and not is_submodule

    def _note(self, path: str, entry: os.DirEntry[str]) -> None:
        with suppress(FileNotFoundError):  # it has just been removed
            seen = entry.stat(follow_symlinks=False)
            is_link = stat.S_ISLNK(seen.st_mode)
            if not is_link and not stat.S_ISREG(seen.st_mode):
                return
            if len(self._files) >= FILES_LIMIT:
                raise TooLarge(f"The project has more than {FILES_LIMIT:,} files.", next=_IGNORED)
            kind = _LINK if is_link else "x" if seen.st_mode & stat.S_IXUSR else "-"
            kept = self._index.get(path)
            if kept and self._looks_the_same(kept, seen):
                self._files[path] = kind + kept.sha.decode()
            else:
                content = self._hashed(os.path.join(self._top, path), seen, is_link=is_link)  # noqa: PTH118
                self._files[path] = kind + content

    def _looks_the_same(self, kept: SerializedIndexEntry, seen: os.stat_result) -> bool:
        """Whether a file is as it was when Git read it last, which the clock only tells of one that is older."""
        changed_at = seen.st_mtime_ns
        return (
            not self._is_converted
            and changed_at < self._indexed_at
            and kept.size == seen.st_size & 0xFFFFFFFF
            and kept.mtime == divmod(changed_at, 10**9)
            and kept.ctime == divmod(seen.st_ctime_ns, 10**9)
            and kept.ino == seen.st_ino & 0xFFFFFFFF
            and stat.S_IFMT(kept.mode) == stat.S_IFMT(seen.st_mode)
        )

    def _hashed(self, path: str, seen: os.stat_result, *, is_link: bool) -> str:
        """Return the hash by which Git would name the content."""
        self._bytes += seen.st_size
        if self._bytes > BYTES_LIMIT:
            raise TooLarge(f"The project has more than {BYTES_LIMIT:,} bytes that have to be read.", next=_IGNORED)
        hashed = self._format.hash_func()
        hashed.update(b"blob %d\0" % seen.st_size)
        if is_link:
            hashed.update(os.fsencode(os.readlink(path)))  # noqa: PTH115
            return hashed.hexdigest()
        try:
            descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        except PermissionError:
            return _CLOSED
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            left = seen.st_size
            while left > 0 and (chunk := file.read(min(left, _CHUNK))):
                hashed.update(chunk)
                left -= len(chunk)
        return hashed.hexdigest()


def _entries(raw: bytes, names: ObjectFormat) -> Iterator[SerializedIndexEntry]:
    """Yield the entries of an index. Each path may repeat the one before it, so that a few bytes can say very much."""
    for entry in read_index(BytesIO(raw), names):
        if len(entry.name) > _PATH_LIMIT:
            raise ValueError("a path is too long")
        yield entry


def _above(path: str) -> Iterator[str]:
    at = path.find("/")
    while at >= 0:
        yield path[:at]
        at = path.find("/", at + 1)


def _is_ignored(path: str, ignoring: _Ignoring, *, is_folder: bool) -> bool:
    """Whether the last rule of the nearest file that is about the path ignores it; those above are not asked then."""
    parts = path.split("/")
    for depth, rules in reversed(ignoring):
        for rule in reversed(rules):
            if rule.matches(parts[depth:], is_folder=is_folder):
                return rule.ignores
    return False


def _users_rules() -> list[Rule]:
    """Return what the user ignores everywhere: where an editor or an assistant leaves files of its own."""
    place = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111
    return rules_in(content_of(Path(place, "git", "ignore"), _SMALL))


def content_of(file: Path, limit: int) -> bytes:
    """Read a plain file; nothing where there is none, or something else. Raises TooLarge."""
    try:
        with opened_file(Path(os.path.realpath(file.parent), file.name)) as handle:
            content = read_within(handle, limit)
    except (InTheWay, OSError):
        return b""
    if len(content) > limit:
        raise TooLarge(f"{file.name} has more than {limit:,} bytes.", next=_IGNORED)
    return content
