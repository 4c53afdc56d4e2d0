"""Run Git so that nothing a repository or a worktree holds is run: every call of this package goes through here."""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from io import FileIO
from pathlib import Path
from typing import IO, TypedDict, Unpack, cast

from orchestrator_site.kernel.errors import Conflict, NotFound, OrchestratorError, TooLarge, Transient, Unavailable
from orchestrator_site.kernel.folders import read_within
from orchestrator_site.kernel.polling import poll
from orchestrator_site.kernel.processes import kill_group, reap
from orchestrator_site.kernel.text import shortened, storable

logger = logging.getLogger(__name__)

OLDEST = (2, 38)
"""The first version whose `merge-tree` merges without a checkout."""
SECONDS = 120.0
OUTPUT_LIMIT = 256 * 1024 * 1024
_INSTALL = "Ask the person who runs the server to install Git 2.38 or newer."
_ERRORS_LIMIT = 64 * 1024

_PASSED_ON = (
    "HOME", "USER", "LOGNAME", "TMPDIR", "TEMP", "TMP", "XDG_CONFIG_HOME", "SYSTEMROOT", "USERPROFILE", "HOMEDRIVE",
    "HOMEPATH", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "COMSPEC", "PATHEXT",
)  # fmt: skip
_ALWAYS = {
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_PAGER": "cat",
    "GIT_EDITOR": ":",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    # Large files stay the pointers that they are in the commit.
    "GIT_LFS_SKIP_SMUDGE": "1",
    # What a promisor remote would fetch runs a program that the configuration names.
    "GIT_ALLOW_PROTOCOL": "none",
}
_OVERRIDES = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.untrackedCache": "false",
    "core.splitIndex": "false",
    "core.sparseCheckout": "false",
    "core.quotePath": "false",
    "core.safecrlf": "false",
    "core.filesRefLockTimeout": "5000",
    "core.packedRefsTimeout": "5000",
    "core.fsync": "committed,reference",
    "core.fsyncMethod": "batch",
    "checkout.workers": "2",
    "gc.auto": "0",
    "i18n.commitEncoding": "UTF-8",
    "maintenance.auto": "false",
    "submodule.recurse": "false",
    "worktree.useRelativePaths": "false",
}
# Git LFS is a program that the user installed, and is let through with exactly what its installer writes.
_LFS = {
    "clean": ("git-lfs clean -- %f",),
    "smudge": ("git-lfs smudge -- %f", "git-lfs smudge --skip -- %f"),
    "process": ("git-lfs filter-process", "git-lfs filter-process --skip"),
    "required": ("true", "false"),
}
_NAMES_PROGRAM = re.compile(r"(filter|merge|diff)\.(.+)\.(clean|smudge|process|required|driver|command|textconv)", re.S)
_ABSOLUTE = re.compile(r"(?<![\w.])(?:/|[A-Za-z]:\\)[^\s'\":]+")


@dataclass(frozen=True, slots=True)
class Done:
    code: int | None
    """None where the time was up."""
    out: bytes
    is_cut: bool
    errors: str


class _BeingMade(Transient):
    """Git fails for a short time while another of its processes makes a worktree."""


class Options(TypedDict, total=False):
    stdin: bytes
    codes: Sequence[int]
    environment: Mapping[str, str | None]
    limit: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Git:
    """A repository for the time of one operation: Git's folder, its configuration, and a temporary folder of ours.

    Calls get an index in `scratch`, and the files of `work_tree`, which is an empty folder unless one is named.
    """

    program: str
    folder: str
    scratch: Path
    work_tree: Path
    configuration: Mapping[str, list[str]] = field(default_factory=dict)

    def run(self, *arguments: str, **options: Unpack[Options]) -> bytes:
        """Return the output of a command, all of it. Raises TooLarge besides."""
        done = self.ask(*arguments, **options)
        if done.is_cut:
            raise TooLarge(f"Git {arguments[0]} says more than can be read.", next="Make the change smaller.")
        return done.out

    def line(self, *arguments: str, **options: Unpack[Options]) -> str:
        return os.fsdecode(self.run(*arguments, **options).rstrip(b"\n"))

    def ask(
        self,
        *arguments: str,
        stdin: bytes = b"",
        codes: Sequence[int] = (0,),
        environment: Mapping[str, str | None] | None = None,
        limit: int = OUTPUT_LIMIT,
        seconds: float = SECONDS,
    ) -> Done:
        """Run a command; `environment` adds variables, or takes those away that are None. Raises as the package says.

        Output beyond the limit is cut off, and the command ended.
        """
        variables = {**self._environment(), **(environment or {})}
        done = _run([self.program, *arguments], stdin, variables, self.work_tree, limit, seconds)
        if done.code is None:
            raise Transient(f"Git {arguments[0]} took longer than {seconds:.0f} seconds.", retry_after_ms=5000)
        if done.code not in codes and not done.is_cut:
            raise _failure(arguments[0], done)
        return done

    def commit_of(self, revision: str) -> str | None:
        """Return the commit that a revision names; None where there is none."""
        look_up = ("rev-parse", "--verify", "--quiet", "--end-of-options")
        done = self.ask(*look_up, f"{revision}^{{commit}}", codes=(0, 1, 128))
        found = done.out.decode(errors="replace").strip()
        return found if done.code == 0 and re.fullmatch(r"[0-9a-f]{40,64}", found) else None

    def checked_out(self) -> set[str]:
        """Return the full names of the branches that are checked out anywhere."""
        entries: list[bytes] = []

        def are_listed() -> bool:
            with suppress(_BeingMade):
                entries[:] = self.run("worktree", "list", "--porcelain", "-z").split(b"\0")
            return bool(entries)

        if not poll(are_listed, seconds=10):
            raise _BeingMade("The worktrees of the repository cannot be listed.")
        return {os.fsdecode(entry.removeprefix(b"branch ")) for entry in entries if entry.startswith(b"branch ")}

    def _environment(self) -> dict[str, str | None]:
        overrides = _OVERRIDES | _switched_off(self.configuration)
        pairs: dict[str, str | None] = {"GIT_CONFIG_COUNT": str(len(overrides))}
        for number, (key, value) in enumerate(overrides.items()):
            pairs |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        places = {
            "GIT_DIR": self.folder,
            "GIT_WORK_TREE": str(self.work_tree),
            "GIT_INDEX_FILE": str(self.scratch / "index"),
        }
        return {**_base_environment(), **places, **pairs}


@contextmanager
def opened(repository: str, work_tree: Path | None = None) -> Iterator[Git]:
    """Open a repository by Git's folder. Raises NotFound, Unavailable."""
    program = installed()
    if not os.path.isabs(repository) or not os.path.lexists(os.path.join(repository, "HEAD")):  # noqa: PTH117, PTH118
        raise NotFound("The repository is not where it was.", next="Put it back, or set the project's folder.")
    with tempfile.TemporaryDirectory(prefix="orchestrator-git-", ignore_cleanup_errors=True) as folder:
        scratch = Path(folder)
        empty = scratch / "empty"
        empty.mkdir()
        bare = Git(program, repository, scratch, empty)
        yield Git(program, repository, scratch, work_tree or empty, _configuration(bare))


def installed() -> str:
    """Return the path of Git. Raises Unavailable if it is missing or too old."""
    program = shutil.which("git", path=_search_path())
    if program is None:
        raise Unavailable("Git is not installed.", next=_INSTALL)
    version = _version(program)
    if version < OLDEST:
        shown = ".".join(map(str, version))
        raise Unavailable(f"Git {shown} is too old: it cannot merge without a checkout.", next=_INSTALL)
    return program


@cache
def _version(program: str) -> tuple[int, ...]:
    done = _run([program, "--version"], b"", _base_environment(), Path(program).parent, 4096, 20)
    found = re.search(rb"(\d+)\.(\d+)", done.out)
    return tuple(map(int, found.groups())) if found else (0, 0)


def _configuration(git: Git) -> dict[str, list[str]]:
    """Read the configuration from all its files; this runs nothing that it names."""
    found: dict[str, list[str]] = {}
    for entry in git.run("config", "--list", "--null", environment={"GIT_CONFIG_COUNT": None}, seconds=30).split(b"\0"):
        key, _, value = os.fsdecode(entry).partition("\n")
        if key:
            found.setdefault(key, []).append(value)
    return found


def _switched_off(configuration: Mapping[str, list[str]]) -> dict[str, str]:
    """Return what takes the programs from filters, merge drivers and differences, whatever their names."""
    overrides: dict[str, str] = {}
    for key in configuration:
        found = _NAMES_PROGRAM.fullmatch(key)
        if found and not (found[1] == "filter" and found[2] == "lfs" and _is_lfs(configuration)):
            # A merge driver that fails is a conflict; one without a program would keep our side silently.
            off = {"required": "false", "driver": "false"}
            overrides[key] = off.get(found[3], "")
    return overrides


def _is_lfs(configuration: Mapping[str, list[str]]) -> bool:
    is_standard = all(set(configuration.get(f"filter.lfs.{name}", [])) <= set(each) for name, each in _LFS.items())
    return is_standard and shutil.which("git-lfs", path=_search_path()) is not None


def _base_environment() -> dict[str, str | None]:
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**passed, "PATH": _search_path(), **_ALWAYS}


def _search_path() -> str:
    """Return the path for programs without what depends on the current folder, which may be a run's."""
    return os.pathsep.join(each for each in os.environ.get("PATH", os.defpath).split(os.pathsep) if os.path.isabs(each))  # noqa: PTH117


def _run(
    command: list[str], stdin: bytes, variables: Mapping[str, str | None], folder: Path, limit: int, seconds: float
) -> Done:
    environment = {name: value for name, value in variables.items() if value is not None}
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as errors:
        given.write(stdin)
        given.seek(0)
        process = _start(command, given, errors, environment, folder)
        out, code = _finish(process, limit, seconds)
        errors.seek(0)
        said = storable(errors.read(_ERRORS_LIMIT).decode(errors="replace"))
        return Done(code, out[:limit], len(out) > limit, said)


def _finish(process: subprocess.Popen[bytes], limit: int, seconds: float) -> tuple[bytes, int | None]:
    """Return the output, up to a byte beyond the limit, and the exit code; None where the time was up."""
    is_late = threading.Event()

    def end() -> None:
        is_late.set()
        kill_group(process.pid)

    timer = threading.Timer(seconds, end)
    timer.start()
    try:
        with cast(FileIO, process.stdout) as output:
            out = read_within(output, limit)
        if len(out) <= limit:
            _wait(process)
    finally:
        timer.cancel()
        code = reap(process)
    return out, None if is_late.is_set() else code


def _wait(process: subprocess.Popen[bytes]) -> None:
    """Wait for a process, and leave it to be reaped, so that its id cannot be reused yet."""
    if hasattr(os, "waitid"):
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    else:
        process.wait()


def _start(
    command: list[str], given: IO[bytes], errors: IO[bytes], environment: dict[str, str], folder: Path
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command, stdin=given, stdout=subprocess.PIPE, stderr=errors, bufsize=0,
            env=environment, cwd=folder, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        why = error.strerror or "the system refused it"
        raise Unavailable(f"Git cannot be started: {why}.", next="Ask the person who runs the server.") from error


def _failure(command: str, done: Done) -> OrchestratorError:
    errors = done.errors
    logger.warning("git %s failed with code %s: %s", command, done.code, errors.strip())
    lines = [line for line in errors.splitlines() if line.startswith(("fatal:", "error:"))] or errors.splitlines()
    why = shortened(_ABSOLUTE.sub("…", lines[-1]), 300) if lines else f"it ended with code {done.code}"
    if "No space left" in errors or "Read-only file system" in errors or "Permission denied" in errors:
        next = "Ask the person who runs the server to look at the disk and who owns the repository."
        return Unavailable(f"Git {command} failed: {why}", next=next)
    if "commondir" in errors:
        return _BeingMade(f"Git {command} failed, since another Git process makes a worktree: {why}")
    if ".lock" in errors and "File exists" in errors:
        return Transient(f"Git {command} failed, since another Git process holds a lock: {why}", retry_after_ms=5000)
    return Conflict(f"Git refused {command}: {why}", next="Look at the state of the repository.")
