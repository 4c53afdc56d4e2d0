"""Whether a commit is in a repository, on a branch, and touches what it should; read by dulwich, which runs nothing.

Read in a process of its own, with little memory and time: what a repository holds can be made to need any amount.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from heapq import heappop, heappush
from itertools import islice
from pathlib import Path
from posixpath import normpath

from dulwich.diff_tree import tree_changes
from dulwich.object_store import DiskObjectStore
from dulwich.objects import Commit, ObjectID
from dulwich.refs import DiskRefsContainer

from tasks.gates.tree import format_of, head_of
from tasks.repositories import git_of

MEMORY_LIMIT = 1024**3
COMMITS_LIMIT = 20_000
CHANGES_LIMIT = 100_000
_OBJECT_LIMIT = 64 * 1024**2
_WORKTREES_LIMIT = 1_000
_NAME = re.compile(r"[0-9a-f]{7,64}")


@dataclass(frozen=True, slots=True)
class Question:
    """`since`: seconds since 1970 that it must not be older than; `base`: a commit that it has to descend from.

    `paths` are files and folders, or with `are_patterns` patterns too.
    """

    top: str
    commit: str
    paths: tuple[str, ...] = ()
    are_patterns: bool = False
    base: str = ""
    since: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """The full name of the commit, and in a sentence why it does not count; empty where it does."""

    commit: str = ""
    problem: str = ""


def look_up(question: Question) -> Answer:
    """Look for a commit. Raises what dulwich and the system raise for a repository that is damaged."""
    found = git_of(Path(question.top))
    if found is None:
        return Answer(problem="The project's folder is no repository of Git.")
    if not _NAME.fullmatch(question.commit):
        return Answer(problem="A commit is named by at least seven of its hexadecimal digits.")
    repository = _Repository(*found)
    with closing(repository.store):
        named = repository.named(question.commit)
        if len(named) != 1:
            return Answer(problem="There are several such commits." if named else "There is no such commit.")
        return Answer(named[0].decode(), repository.problem_with(named[0], question))


class _Repository:
    def __init__(self, git: Path, common: Path) -> None:
        self._git, self._common = git, common
        self.store = DiskObjectStore(
            common / "objects", loose_object_size_limit=_OBJECT_LIMIT, object_format=format_of(common)
        )

    def named(self, name: str) -> list[ObjectID]:
        length = self.store.object_format.hex_length
        if len(name) == length:
            candidates = [ObjectID(name.encode())]
        else:
            candidates = list(islice(self.store.iter_prefix(name.encode()), 100))
        return [each for each in candidates if self._commit(each)]

    def problem_with(self, name: ObjectID, question: Question) -> str:
        commit = self._commit(name)
        if commit is None or not self._leads_to(self._tips(), name):
            return "It is on no branch, and not checked out."
        if question.base and not self._leads_to([name], ObjectID(question.base.encode())):
            return f"It does not build on {question.base[:12]}."
        if commit.commit_time < question.since:
            return "It is older than the task."
        if not any(_is_within(path, question) for path in self._touched(commit, question)):
            return f"It touches nothing{' of: ' if question.paths else ''}{', '.join(question.paths[:10])}."
        return ""

    def _commit(self, name: ObjectID) -> Commit | None:
        with suppress(KeyError):
            found = self.store[name]
            return found if isinstance(found, Commit) else None
        return None

    def _tips(self) -> list[ObjectID]:
        """Return the commits of all branches, and those that are checked out."""
        refs = DiskRefsContainer(str(self._common))
        branches = [refs.read_ref(name) for name in refs.allkeys() if name.startswith(b"refs/heads/")]
        with suppress(OSError):
            worktrees = list(islice((self._common / "worktrees").iterdir(), _WORKTREES_LIMIT))
            branches += [head_of(each, self._common).encode() for each in worktrees]
        heads = [head_of(self._common, self._common), head_of(self._git, self._common)]
        return [ObjectID(each) for each in {*branches, *(head.encode() for head in heads)} if each]

    def _leads_to(self, tips: Sequence[ObjectID], wanted: ObjectID) -> bool:
        """Whether a commit is among these and their ancestors: the newest are looked at first."""
        seen, waiting = set(tips), list[tuple[int, ObjectID]]()
        for tip in tips:
            heappush(waiting, (-sys.maxsize, tip))
        for _ in range(COMMITS_LIMIT):
            if wanted in seen:
                return True
            if not waiting:
                return False
            if (commit := self._commit(heappop(waiting)[1])) is None:  # a tag, or beyond a shallow clone
                continue
            for parent in commit.parents:
                if parent not in seen:
                    seen.add(parent)
                    heappush(waiting, (-commit.commit_time, parent))
        return wanted in seen

    def _touched(self, commit: Commit, question: Question) -> Iterator[str]:
        parents = [ObjectID(question.base.encode())] if question.base else commit.parents
        before = self._commit(parents[0]) if parents else None
        changes = tree_changes(self.store, before.tree if before else None, commit.tree)
        for change in islice(changes, CHANGES_LIMIT):
            for entry in (change.old, change.new):
                if entry is not None and entry.path is not None:
                    yield os.fsdecode(entry.path)


def _is_within(path: str, question: Question) -> bool:
    cleaned = [normpath(each) for each in question.paths if each] if question.paths else ["."]
    if question.are_patterns and any(fnmatchcase(path, each) for each in cleaned):
        return True
    return any(each in (".", path) or path.startswith(f"{each}/") for each in cleaned)


def main() -> None:
    """Answer the question on stdin."""
    if sys.platform != "win32":
        import resource

        # Of data, not of addresses: packs are mapped into memory whatever their size.
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_LIMIT, MEMORY_LIMIT))
    asked = json.load(sys.stdin)
    print(json.dumps(asdict(look_up(Question(**asked | {"paths": tuple(asked["paths"])})))))  # noqa: T201


if __name__ == "__main__":
    main()
