"""What every adapter offers: how its agent is started, and how one talks with it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePath
from typing import ClassVar

from tasks.agents.adapters.events import Event, Outcome

BOARD = "board"
"""The name under which every agent knows our MCP server."""


class Rights(StrEnum):
    """What happens to a call of a tool that the job does not allow."""

    DENY = "deny"
    ASK = "ask"
    BYPASS = "bypass"


@dataclass(frozen=True, slots=True)
class Board:
    """Our MCP server over HTTP, and the token for this run's subtask."""

    url: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Spent:
    """Tokens of earlier runs of the same session: some agents count them again."""

    read_tokens: int = 0
    written_tokens: int = 0
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Job:
    """What to run. All folders are absolute, and none of them is touched here.

    `executable` is the path of the adapter's program, or "" for `command`, which runs `argv`. `home` becomes the
    agent's home and holds its sessions: a run that resumes needs the home of the run before. `session_id` is wanted
    where the adapter lets one choose, and the one to go on with where `resume` is set. `brief` is the first message.
    `commands` are prefixes such as `git diff`. `environment` is ours: only what the adapter lists is taken from it, and
    `variables` are added. Raises Invalid where a value could be taken for an option or breaks the agent's own syntax.
    """

    run_id: str
    brief: str
    worktree: PurePath
    run_folder: PurePath
    home: PurePath
    executable: str = ""
    argv: tuple[str, ...] = ()
    rules: str = ""
    model: str = ""
    max_turns: int | None = None
    max_cost_usd: float | None = None
    session_id: str = ""
    resume: bool = False
    fork: bool = False
    spent: Spent = Spent()
    board: Board | None = None
    commands: tuple[str, ...] = ()
    rights: Rights = Rights.DENY
    jailed: bool = False
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start it: in `folder`, with this environment and no other.

    `files` go below the run folder before that, with mode 0600. Standard input gets `Conversation.opening()`; where it
    does not stay open, it must end after that, or the agent waits forever.
    """

    argv: tuple[str, ...]
    folder: PurePath
    environment: Mapping[str, str] = field(repr=False)
    files: Mapping[str, str] = field(repr=False)
    stdin_stays_open: bool


@dataclass(frozen=True, slots=True)
class Supports:
    """What an agent can do by itself. `messages`, `interrupt` and `asks` are about a run that lives; cost is in USD."""

    choose_id: bool = False
    resume: bool = False
    fork: bool = False
    messages: bool = False
    interrupt: bool = False
    asks: bool = False
    cost: bool = False
    context: bool = False
    board: bool = False
    max_turns: bool = False
    max_cost: bool = False


@dataclass(frozen=True, slots=True)
class Tested:
    """Versions with which the recorded streams were made, first and last."""

    first: str
    last: str

    def covers(self, version: str) -> bool:
        """Patches of a version that was tested count as tested."""
        raise NotImplementedError


class Adapter(ABC):
    """One agent. `executables` are names to look for on PATH, best first.

    `secrets` are the variables, and `login_files` the files below the user's home, that hold its login: one of them has
    to be there, and their values stay out of logs.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    executables: ClassVar[tuple[str, ...]] = ()
    version_argv: ClassVar[tuple[str, ...]] = ("--version",)
    tested: ClassVar[Tested | None] = None
    supports: ClassVar[Supports] = Supports()
    memory_mb: ClassVar[int] = 0
    secrets: ClassVar[tuple[str, ...]] = ()
    login_files: ClassVar[tuple[str, ...]] = ()
    passed_on: ClassVar[tuple[str, ...]] = ()

    def version(self, output: str) -> str | None:
        """Read what the program printed for `version_argv`; None where there is no version in it."""
        raise NotImplementedError

    def warning(self, version: str | None) -> str:
        """Return what to say about a version, empty where it was tested."""
        raise NotImplementedError

    @abstractmethod
    def launch(self, job: Job) -> Launch:
        """Raises Invalid where the job asks for what this agent cannot do, or cannot do safely."""

    @abstractmethod
    def conversation(self, job: Job) -> Conversation:
        """Return the state of a run that has not said anything yet."""


class Conversation(ABC):
    """What was said in one run. Feed the log again from its start to rebuild it; drop what it sends then.

    `ended` is true from a terminal event on, until the agent takes up a message. `takes_messages` says whether one may
    be sent now; keep it until then.
    """

    ended: bool = False
    takes_messages: bool = False

    def opening(self) -> list[bytes]:
        """Return the lines for standard input at the start."""
        return []

    @abstractmethod
    def feed(self, line: bytes) -> list[Event]:
        """Read a line of standard output, with or without its end, or the start of one that was cut. Never raises."""

    def message(self, text: str) -> list[bytes]:
        """Return the lines that hand the agent a message. Raises Conflict where it takes none now."""
        raise NotImplementedError

    def interrupt(self) -> list[bytes]:
        """Return the lines that end the turn; empty where only a signal does."""
        return []

    def answer(self, ask_id: str, *, allow: bool, reason: str = "") -> list[bytes]:
        """Return the lines that answer an ask. Raises Conflict where nothing waits for it."""
        raise NotImplementedError

    @abstractmethod
    def judge(self, exit_code: int | None, *, completed: bool, stderr: str = "") -> Outcome:
        """Say what the run came to, by its exit code (None: lost), the delivery on the board, the end of stderr."""
