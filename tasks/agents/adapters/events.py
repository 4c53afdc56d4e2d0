"""What a run tells, in one form for all agents, and what it comes to in the end."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why an agent stopped, or why a run came to its outcome."""

    DONE = "done"
    INTERRUPTED = "interrupted"
    MAX_TURNS = "max_turns"
    MAX_COST = "max_cost"
    CONTEXT_FULL = "context_full"
    RATE_LIMITED = "rate_limited"
    MODEL_FAILED = "model_failed"
    DECLINED = "declined"
    NO_LOGIN = "no_login"
    NO_BOARD = "no_board"
    NO_SESSION = "no_session"
    BAD_CALL = "bad_call"
    NO_DELIVERY = "no_delivery"
    NO_RESULT = "no_result"
    SIGNAL = "signal"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Started:
    """A session is open. `board` says whether the agent reached the board's server, None where it does not say."""

    session_id: str
    model: str = ""
    version: str = ""
    board: bool | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """The model answered once more; turns are counted by these."""


@dataclass(frozen=True, slots=True)
class Said:
    """What the agent wrote to its user."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolUse:
    """The agent calls a tool; `summary` is what is most worth showing of its input."""

    id: str
    tool: str
    summary: str = ""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The tool of that call answered; `text` is the start of the answer."""

    id: str
    failed: bool
    text: str = ""


@dataclass(frozen=True, slots=True)
class Asks:
    """The agent waits for `Conversation.answer`."""

    ask_id: str
    tool: str
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The agent no longer waits for an answer."""

    ask_id: str


@dataclass(frozen=True, slots=True)
class Denied:
    """The agent was not allowed to use a tool, and goes on without."""

    tool: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Retry:
    """The model did not answer; the agent asks again by itself."""

    attempt: int
    limit: int
    delay_seconds: float
    rate_limited: bool
    text: str = ""


@dataclass(frozen=True, slots=True)
class RateLimited:
    """The account has used up its share until `resets_at` (seconds since 1970; None where it is not said)."""

    resets_at: float | None = None


@dataclass(frozen=True, slots=True)
class Compacted:
    """The agent replaced its conversation by a summary; sizes in tokens, 0 where they are not said."""

    before: int = 0
    after: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    """Totals of this run so far, in tokens; each one replaces the one before.

    `read_tokens` are all that the model was sent, `cached_tokens` those of them that came from its cache. `context` is
    what the last request held and `window` what it may hold. None, or 0 for a total, where the agent does not say.
    """

    read_tokens: int = 0
    written_tokens: int = 0
    cached_tokens: int = 0
    cost_usd: float | None = None
    context: int | None = None
    window: int | None = None

    def plus(self, more: Usage) -> Usage:
        """Add what came later."""
        costs = [cost for cost in (self.cost_usd, more.cost_usd) if cost is not None]
        return Usage(
            self.read_tokens + more.read_tokens,
            self.written_tokens + more.written_tokens,
            self.cached_tokens + more.cached_tokens,
            sum(costs) if costs else None,
            self.context if more.context is None else more.context,
            more.window or self.window,
        )


NOTHING = Usage()


@dataclass(frozen=True, slots=True)
class Warned:
    """The agent reports something that is worth a line in the log."""

    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The agent has finished its turn. It says no more by itself, though its process may live on."""

    ok: bool
    reason: Reason
    text: str = ""


@dataclass(frozen=True, slots=True)
class Send:
    """Write these lines to the agent's standard input: the dialogue asks for them. Not for the log."""

    lines: tuple[bytes, ...]


Event = (
    Started | Turn | Said | ToolUse | ToolResult | Asks | Withdrawn | Denied | Retry | RateLimited
    | Compacted | Usage | Warned | Ended | Send
)  # fmt: skip


class State(StrEnum):
    """How a run ends, as far as the agent shows it; the supervisor knows of timeouts, kills and tampering."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    RATE_LIMITED = "rate_limited"
    INTERRUPTED = "interrupted"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`retry_at` is for `rate_limited` alone: seconds since 1970, None where that is not known."""

    state: State
    reason: Reason
    text: str = ""
    retry_at: float | None = None
