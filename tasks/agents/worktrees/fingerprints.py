"""Tell whether a run changed what in a repository could run programs or mislead people."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from orchestrator_site.kernel.folders import InTheWay, opened_file, read_within
from tasks.agents.worktrees.git import Git

OURS = "orchestrator/"
"""Branches of runs begin with this."""
_HEADS = "refs/heads/"
_REPLACED = "refs/replace/"
_FILE_LIMIT = 1024 * 1024
_ENTRY_LIMIT = 2000
# Git itself rewrites this when it packs.
_REWRITTEN = frozenset({"refs"})


def fingerprint(git: Git) -> dict[str, Any]:
    """Return what `changes` compares with later: hashes, since a configuration may hold secrets, and branches."""
    return {
        "config": {_hash(key): _hash(*values) for key, values in git.configuration.items()},
        "hooks": _of_folder(Path(git.folder, "hooks")),
        "info": _of_folder(Path(git.folder, "info")),
        "refs": {name: commit for name, (commit, _) in _refs(git).items()},
    }


def changes(
    git: Git, before: Mapping[str, Any], *, branch: str, jailed: bool, moved: Mapping[str, str]
) -> Iterator[str]:
    """Yield what differs now, for people. `jailed` and `moved` are as `collect` has them."""
    refs = _refs(git)
    yield from _changed_configuration(git, before)
    for name, what in (("hooks", "The hooks"), ("info", "Ignore rules or attributes")):
        if _of_folder(Path(git.folder, name)) != before[name]:
            yield f"{what} of the repository changed."
    if refs.get(f"{_HEADS}{branch}", ("", ""))[1]:
        yield "The run's branch leads to another branch."
    if not jailed:
        yield from _moved({name: commit for name, (commit, _) in refs.items()}, before["refs"], moved)


def _changed_configuration(git: Git, before: Mapping[str, Any]) -> Iterator[str]:
    known = dict(before["config"])
    for key, values in git.configuration.items():
        if known.pop(_hash(key), None) != _hash(*values) and not _is_usual(key, before["refs"]):
            yield f"The setting {key[:200]} of the repository changed."
    if known:
        yield f"{len(known)} settings of the repository are gone."


def _is_usual(key: str, refs: Mapping[str, str]) -> bool:
    """Whether a setting is what Git and editors note about branches, as long as it sends no known branch elsewhere."""
    if not key.startswith("branch."):
        return False
    name, _, setting = key.removeprefix("branch.").rpartition(".")
    return setting.endswith("merge-base") or f"{_HEADS}{name}" not in refs


def _moved(now: Mapping[str, str], before: Mapping[str, str], moved: Mapping[str, str]) -> Iterator[str]:
    expected = {f"{_HEADS}{name}": commit for name, commit in moved.items()}
    for name, commit in before.items():
        new = now.get(name)
        if new != commit and not name.startswith(_HEADS + OURS) and (new is None or expected.get(name) != new):
            yield f"{name[:200]} was {'deleted' if new is None else 'moved'}."
    if any(name.startswith(_REPLACED) and name not in before for name in now):
        yield "Commits or files of the repository were replaced by others."


def _refs(git: Git) -> dict[str, tuple[str, str]]:
    """Return the commit of each branch and tag, and where one leads that is but a pointer."""
    form = "%(refname)%00%(objectname)%00%(symref)"
    lines = git.run("for-each-ref", f"--format={form}", _HEADS, "refs/tags/", _REPLACED).splitlines()
    parts = [os.fsdecode(line).split("\0") for line in lines]
    return {name: (commit, leads_to) for name, commit, leads_to in parts}


def _of_folder(folder: Path) -> str:
    """Hash the names, modes and content of what lies in a small folder; links are not followed."""
    seen: list[str] = [str(folder.readlink())] if folder.is_symlink() else []
    for above, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted([*files, *folders]):
            if above == str(folder) and name in _REWRITTEN:
                continue
            seen.append(_of_entry(Path(above, name)))
            if len(seen) > _ENTRY_LIMIT:
                return "too many"
    return _hash(*seen)


def _of_entry(path: Path) -> str:
    try:
        found = path.lstat()
        content = os.fsencode(path.readlink()) if stat.S_ISLNK(found.st_mode) else b""
        if stat.S_ISREG(found.st_mode):
            content = small_file(path) + str(found.st_size).encode()
    except (OSError, InTheWay) as error:
        return f"{path.name} {type(error).__name__}"
    return f"{path} {found.st_mode:o} {hashlib.sha256(content).hexdigest()}"


def small_file(path: Path) -> bytes:
    """Read a plain file, but never a link or a pipe, up to a limit. Raises OSError, InTheWay."""
    with opened_file(Path(os.path.realpath(path.parent), path.name)) as handle:
        return read_within(handle, _FILE_LIMIT)


def wiring(repository: str, folder: Path, name: str) -> str:
    """Hash what connects a worktree, by the name that the repository has for it, with the repository."""
    own = Path(repository, "worktrees", name)
    parts = (folder / ".git", own / "commondir", own / "gitdir", own / "config.worktree")
    return "a link" if folder.is_symlink() else _hash(*map(_of_entry, parts))


def _hash(*strings: str) -> str:
    digest = hashlib.sha256()
    for each in strings:
        digest.update(each.encode(errors="surrogateescape") + b"\0")
    return digest.hexdigest()[:24]
