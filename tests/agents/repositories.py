"""Real repositories, runs that do as they like in them, and a canary that shows whether a program of theirs ran."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tasks.agents.worktrees import Collected, Worktree, collect, locate, make

MIB = 1024 * 1024


@dataclass(frozen=True)
class Shop:
    """A repository with a checkout of `main`, and a folder for worktrees."""

    top: Path
    worktrees: Path

    @property
    def repository(self) -> str:
        return locate(self.top)

    def git(self, *arguments: str, at: Path | None = None, check: bool = True) -> str:
        """Run Git as the user or as an agent would, with everything that is configured."""
        done = subprocess.run(["git", *arguments], cwd=at or self.top, check=check, capture_output=True)
        return done.stdout.decode(errors="replace").rstrip("\n")

    def commit(self, message: str = "Change", *, at: Path | None = None, **files: str) -> str:
        write(at or self.top, **files)
        self.git("add", "--all", at=at)
        self.git("commit", "--quiet", "--no-verify", "--message", message, at=at)
        return self.git("rev-parse", "HEAD", at=at)

    def run(self, number: int = 1, base: str = "main") -> Worktree:
        folder = self.worktrees / str(number)
        return make(self.repository, folder=folder, branch=f"orchestrator/t/{number}", base=base)

    def collected(self, number: int, base: str = "main", **files: str) -> Collected:
        """Return what a run collects that writes files."""
        worktree = self.run(number, base)
        write(Path(worktree.folder), **files)
        return gather(worktree)

    def add_submodule(self, other: Shop, place: str) -> None:
        self.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other.top), place)
        self.commit()

    def configure_lfs(self) -> None:
        """Write what the installer of Git LFS writes."""
        self.git("config", "filter.lfs.clean", "git-lfs clean -- %f")
        self.git("config", "filter.lfs.smudge", "git-lfs smudge -- %f")
        self.git("config", "filter.lfs.required", "true")

    def files(self, commit: str) -> dict[str, str]:
        names = self.git("ls-tree", "-r", "-z", "--name-only", commit).split("\0")
        return {name: self.git("cat-file", "blob", f"{commit}:{name}") for name in names if name}

    def state(self) -> tuple[str, str, dict[str, bytes]]:
        """Return all that a merge must leave as it is in the user's checkout."""
        files = {str(each): each.read_bytes() for each in self.top.glob("*") if each.is_file()}
        return self.git("status", "--porcelain"), self.git("rev-parse", "HEAD"), files


def make_shop(folder: Path) -> Shop:
    top = folder / "shop"
    top.mkdir(parents=True)
    shop = Shop(top, folder / "home" / "worktrees")
    shop.git("init", "--quiet", "--initial-branch", "main")
    shop.git("config", "user.name", "Ada")
    shop.git("config", "user.email", "ada@example.org")
    shop.commit("Begin", **{"a.txt": "one\ntwo\nthree\n", "lib/b.txt": "b\n", ".gitignore": ".env\n*.log\nvendor/\n"})
    return shop


def write(folder: Path, **files: str) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def gather(worktree: Worktree, *, limit_bytes: int = MIB, **options: object) -> Collected:
    return collect(worktree, message="Do it", limit_bytes=limit_bytes, **options)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Canary:
    """A program that writes a file when it is run, whatever it is run as."""

    program: Path
    trace: Path

    @property
    def has_sung(self) -> bool:
        return self.trace.exists()

    def as_hook(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.program.read_text())
        path.chmod(0o755)


def make_canary(folder: Path) -> Canary:
    program, trace = folder / "canary.sh", folder / "sung"
    program.write_text(f'#!/bin/sh\necho "$0 $*" >> {trace}\ncat\n')
    program.chmod(0o755)
    return Canary(program, trace)
