"""What is to be run, and how that is started."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePath

from orchestrator_site.kernel.errors import Invalid
from orchestrator_site.kernel.text import called
from tasks.agents.adapters.events import NOTHING, Usage

BOARD = "board"
"""The name under which every agent knows our MCP server."""

_MODEL = re.compile(r"(?!-)[\w.:/@\[\]+-]{0,200}")
_SESSION = re.compile(r"(?!-)[\w.-]{0,200}")
COMMAND = re.compile(r"(?!-)[\w./:=@+, -]{1,200}")


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

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@dataclass(frozen=True, slots=True)
class Job:
    """What to run. All folders are absolute, and none of them is touched here.

    `executable` is the path of the adapter's program, or "" for `command`, which runs `argv`. `home` becomes the
    agent's home and holds its sessions: a run that resumes needs the home of the run before. `session_id` is wanted
    where the adapter lets one choose, and the one to go on with where `resume` is set. `brief` is the first message.
    `spent` sums up the earlier runs of the session, which some agents count again.
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
    spent: Usage = NOTHING
    board: Board | None = None
    commands: tuple[str, ...] = ()
    rights: Rights = Rights.DENY
    jailed: bool = False
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        _check("The model's name", self.model, _MODEL)
        _check("The session's id", self.session_id, _SESSION)
        for command in self.commands:
            _check("A command that is allowed", command, COMMAND)
        if (self.resume and not self.session_id) or (self.fork and not self.resume):
            raise Invalid("A run that goes on or forks needs the session to resume.", next="Start a new run.")
        if self.rights is Rights.BYPASS and not self.jailed:
            raise Invalid("Only an agent in a jail may do everything.", next="Let it ask, or deny what it may not do.")


def _check(what: str, value: str, allowed: re.Pattern[str]) -> None:
    if not allowed.fullmatch(value):
        raise Invalid(
            f"{what} is {called(value)}, which an agent could take for something else.",
            next="Use letters, digits and . / : = @ + , _ -; begin with none but a letter, a digit or a dot.",
        )


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start it: in `folder`, with this environment and no other.

    Before that, `folders` are made with mode 0700 and `files` written with mode 0600, all below the run folder or the
    home. Standard input gets `Conversation.opening()`; where it does not stay open, it must end then, or the agent
    waits forever.
    """

    argv: tuple[str, ...]
    folder: PurePath
    environment: Mapping[str, str] = field(repr=False)
    files: Mapping[PurePath, str] = field(repr=False)
    stdin_stays_open: bool
    folders: tuple[PurePath, ...] = ()
