"""What the functions of this package take and return: plain data that survives in rows and between processes."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Process:
    """A started run, JSON-able by `dataclasses.asdict`; `Process(**stored)` is the same one again.

    `pid` is that of its keeper, the parent of the agent and of all that the agent leaves behind. `identity` tells it
    from a later process that gets the same pid. `folder` is the real path of the run folder.
    """

    run_id: str
    folder: str
    pid: int
    identity: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What the system enforces on the agent and all that it starts; None leaves a limit as it is.

    `processes` counts all threads of the user on this machine, as RLIMIT_NPROC does. The logs are full, not cut, at
    their limit: an agent that writes on waits until it is ended, and `measure` and `Watch` say so.
    """

    processes: int | None = 8192
    open_files: int | None = 8192
    file_bytes: int | None = 8192 * MIB
    nice: int = 5
    log_bytes: int = 64 * MIB
    stderr_bytes: int = 4 * MIB


@dataclass(frozen=True, slots=True)
class Jail:
    """What an agent sees of the file system besides the system's folders, its programs and its run folder.

    Absolute paths. `writable` ones lie above `read_only` ones: a worktree is writable, the repository's `.git` is not.
    The network stays open.
    """

    writable: tuple[str, ...] = ()
    read_only: tuple[str, ...] = ()


class Log(StrEnum):
    EVENTS = "events.jsonl"
    ERRORS = "stderr.log"


@dataclass(frozen=True, slots=True)
class Lines:
    """Whole lines of a log without their ends, those above 1 MiB cut to it.

    Read on from `next_offset`. `at_end` says that no further whole line was there.
    """

    lines: tuple[bytes, ...]
    next_offset: int
    at_end: bool


@dataclass(frozen=True, slots=True)
class Exit:
    """The agent has exited. `code` is None where it is not known.

    For a signal it is negative, as in `subprocess`, and 128 + the signal where the agent has a jail.
    """

    code: int | None


@dataclass(frozen=True, slots=True)
class Measured:
    memory_bytes: int
    processes: int
    log_bytes: int
    stderr_bytes: int
    is_log_full: bool


class Excess(StrEnum):
    """Why a run has to be ended."""

    IDLE = "idle"
    MEMORY = "memory"
    LOG_FULL = "log_full"


@dataclass(frozen=True, slots=True)
class Stray:
    """A process that outlived its agent."""

    run_id: str
    pid: int
    name: str


@dataclass(frozen=True, slots=True)
class Ended:
    """What ending a run found. `strays` outlived the agent and were killed; `survivors` could not be."""

    exit_code: int | None
    strays: tuple[Stray, ...] = field(default=())
    survivors: tuple[Stray, ...] = field(default=())
