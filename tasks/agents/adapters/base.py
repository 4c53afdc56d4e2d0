"""What every adapter offers: how its agent is started, and how one talks with it."""

from __future__ import annotations

import re
import signal
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from orchestrator_site.kernel.errors import Conflict, Invalid
from tasks.agents.adapters.events import Ended, Event, Outcome, RateLimited, Reason, Retry, Started, State, Turn
from tasks.agents.adapters.jobs import Job, Launch
from tasks.agents.adapters.values import Value, cut, parsed

PASSED_ON = (
    "PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "SYSTEMROOT", "COMSPEC", "PATHEXT",
)  # fmt: skip
"""What every agent gets of our environment. The user's own keys, agents and repositories are not among it."""

_VERSION = re.compile(r"\d+(?:\.\d+)+")
_FATAL_SIGNALS = (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGKILL", 9), signal.SIGABRT, signal.SIGSEGV)


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
        return _numbers(self.first) <= _numbers(version) <= _numbers(self.last)


def _numbers(version: str) -> list[int]:
    return [int(part[:9]) for part in version.split(".")]


class Adapter(ABC):
    """One agent. `executables` are names to look for on PATH, best first.

    `secrets` are the variables, and `login_files` the files below the user's home, that hold its login: one of them has
    to be there, and their values stay out of logs. `needs_jail` where it runs programs of the repository by itself,
    `heeds_end` where it exits once its input has ended.
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
    needs_jail: ClassVar[bool] = False
    heeds_end: ClassVar[bool] = True

    def version(self, output: str) -> str | None:
        """Read what the program printed for `version_argv`; None where there is no version in it."""
        found = _VERSION.search(output[:1000])
        return found[0] if found else None

    def warning(self, version: str | None) -> str:
        """Return what to say about a version, empty where it was tested."""
        if self.tested is None or (version and self.tested.covers(version)):
            return ""
        found = f"{self.title} {version}" if version else f"{self.title} of an unknown version"
        return f"{found} was not tested; {self.tested.first} to {self.tested.last} were. It may be misunderstood."

    @abstractmethod
    def launch(self, job: Job) -> Launch:
        """Raises Invalid as `check` does."""

    @abstractmethod
    def conversation(self, job: Job) -> Conversation:
        """Return the state of a run that has not said anything yet."""

    def check(self, job: Job) -> None:
        """Raises Invalid where the job asks for what this agent cannot do, or cannot do safely."""
        if self.needs_jail and not job.jailed:
            raise Invalid(
                f"{self.title} runs programs that a repository brings along, so it only starts in a jail.",
                next="Choose another agent, or a computer that allows the jail.",
            )
        if (job.resume and not self.supports.resume) or (job.fork and not self.supports.fork):
            raise Invalid(f"{self.title} cannot go on with an earlier session.", next="Start a new run.")

    def environment(self, job: Job, **own: str) -> dict[str, str]:
        """Return what may be passed on, what the job adds, and over both what the adapter insists on."""
        names = (*PASSED_ON, *self.passed_on, *self.secrets)
        return {
            "LANG": "C.UTF-8",
            **{name: job.environment[name] for name in names if name in job.environment},
            **job.variables,
            "TERM": "dumb",
            "HOME": str(job.home),
            "USERPROFILE": str(job.home),
            "ORCHESTRATOR_RUN": job.run_id,
            **own,
        }


class Conversation(ABC):
    """What was said in one run. Feed the log again from its start to rebuild it; drop what it sends then.

    `ended` is true from a terminal event on, until the agent takes up a message. `takes_messages` says whether one may
    be sent now; keep it until then.
    """

    title = "The agent"

    def __init__(self, job: Job) -> None:
        self.job = job
        self._end: Ended | None = None
        self._board: bool | None = None
        self._limited = False
        self._resets_at: float | None = None

    @property
    def ended(self) -> bool:
        return self._end is not None

    @property
    def takes_messages(self) -> bool:
        return False

    @property
    def _has_failed(self) -> bool:
        """Whether the last turn ended so that another one would end no better."""
        return self._end is not None and not self._end.ok and self._end.reason is not Reason.INTERRUPTED

    def opening(self) -> list[bytes]:
        """Return the lines for standard input at the start."""
        return []

    def feed(self, line: bytes) -> list[Event]:
        """Read a line of standard output, with or without its end, or the start of one that was cut. Never raises."""
        message = parsed(line)
        events = [] if message is None else list(self._read(message))
        for event in events:
            self._note(event)
        return events

    def message(self, text: str) -> list[bytes]:
        """Return the lines that hand the agent a message. Raises Conflict where it takes none now."""
        raise Conflict(f"{self.title} takes no message now.", next="Send it when the turn is over, or in a new run.")

    def interrupt(self) -> list[bytes]:
        """Return the lines that end the turn; empty where only a signal does."""
        return []

    def answer(self, ask_id: str, *, allow: bool, reason: str = "") -> list[bytes]:
        """Return the lines that answer an ask. Raises Conflict where nothing waits for it."""
        raise Conflict("The agent no longer waits for this answer.", next="See what the run does now.")

    def judge(self, exit_code: int | None, *, completed: bool, stderr: str = "") -> Outcome:
        """Say what the run came to, by its exit code (None: lost), the delivery on the board, the end of stderr.

        A terminal event outweighs the exit code: agents exit with 0 after a failure, and are ended after a success.
        """
        end = self._end or self._without_end(exit_code, stderr)
        if end.ok and not completed:
            reason = Reason.NO_BOARD if self._board is False else Reason.NO_DELIVERY
            return Outcome(State.FAILED, reason, end.text)
        state = State.SUCCEEDED if end.ok else _STATES.get(end.reason, State.FAILED)
        if exit_code is None and not self.ended:
            state = State.LOST
        return Outcome(state, end.reason, end.text, self._resets_at if state is State.RATE_LIMITED else None)

    @abstractmethod
    def _read(self, message: Value) -> Iterator[Event]:
        """Yield what a line says."""

    def _complaint(self, exit_code: int, stderr: str) -> Reason:
        """Say why the agent exited without a word on standard output."""
        return Reason.NO_RESULT if exit_code == 0 else Reason.ERROR

    def _note(self, event: Event) -> None:
        if isinstance(event, Ended):
            self._end = event
        elif isinstance(event, Started | Turn):
            self._end = None
            self._limited = False
        if isinstance(event, Started) and event.board is not None:
            self._board = event.board
        elif isinstance(event, RateLimited):
            self._limited, self._resets_at = True, event.resets_at
        elif isinstance(event, Retry):
            self._limited = event.rate_limited

    def _without_end(self, exit_code: int | None, stderr: str) -> Ended:
        text = cut("\n".join(stderr.strip().splitlines()[-1:]))
        if self._limited:
            return Ended(False, Reason.RATE_LIMITED, text)
        if exit_code is None:
            return Ended(False, Reason.NO_RESULT, text)
        if -exit_code in _FATAL_SIGNALS or exit_code - 128 in _FATAL_SIGNALS:
            return Ended(False, Reason.SIGNAL, text)
        return Ended(False, self._complaint(exit_code, stderr), text)


_STATES = {Reason.RATE_LIMITED: State.RATE_LIMITED, Reason.INTERRUPTED: State.INTERRUPTED}


def known(text: str, complaints: Mapping[str, Reason]) -> Reason | None:
    """Return the reason for the first of these words that the text has."""
    return next((reason for words, reason in complaints.items() if words.lower() in text.lower()), None)


def as_prompt(text: str) -> str:
    """Keep agents from taking a message for a command of their own."""
    return f"Message: {text}" if text.lstrip()[:1] in ("/", "$", "!", "#", "@") else text
