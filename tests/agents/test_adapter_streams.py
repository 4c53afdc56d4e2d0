"""What is understood of the streams that real agents wrote."""

from __future__ import annotations

import json

import pytest

from tasks.agents.adapters import ADAPTERS
from tasks.agents.adapters.events import (
    Asks,
    Compacted,
    Denied,
    Ended,
    Reason,
    Retry,
    Said,
    Send,
    Started,
    State,
    ToolResult,
    ToolUse,
    Turn,
    Usage,
    Warned,
)  # fmt: skip
from tasks.agents.adapters.jobs import Rights
from tests.agents.recorded import job, lines, play, recorded

SINGLE = {"claude": 4, "codex": 4, "gemini": 3, "copilot": 4, "opencode": 4}
OUTCOMES = {
    "claude": {
        "single": (0, State.SUCCEEDED, Reason.DONE),
        "interrupt": (0, State.SUCCEEDED, Reason.DONE),
        "turns": (1, State.FAILED, Reason.MAX_TURNS),
        "budget": (1, State.FAILED, Reason.MAX_COST),
        "busy": (1, State.RATE_LIMITED, Reason.RATE_LIMITED),
        "limit": (1, State.RATE_LIMITED, Reason.RATE_LIMITED),
        "login": (1, State.FAILED, Reason.NO_LOGIN),
        "nologin": (1, State.FAILED, Reason.NO_LOGIN),
        "long": (1, State.FAILED, Reason.CONTEXT_FULL),
        "unknown": (1, State.FAILED, Reason.NO_SESSION),
        "down": (1, State.FAILED, Reason.MODEL_FAILED),
    },
    "codex": {
        "single": (0, State.SUCCEEDED, Reason.DONE),
        "limit": (1, State.RATE_LIMITED, Reason.RATE_LIMITED),
        "login": (1, State.FAILED, Reason.NO_LOGIN),
        "long": (1, State.FAILED, Reason.CONTEXT_FULL),
        "500": (1, State.FAILED, Reason.MODEL_FAILED),
        "term": (-15, State.FAILED, Reason.SIGNAL),
    },
    "gemini": {
        "single": (0, State.SUCCEEDED, Reason.DONE),
        "turns": (0, State.FAILED, Reason.MAX_TURNS),
        "login": (0, State.FAILED, Reason.NO_LOGIN),
        "unknown": (0, State.FAILED, Reason.NO_SESSION),
        "interrupt": (0, State.SUCCEEDED, Reason.DONE),
    },
    "copilot": {"single": (0, State.SUCCEEDED, Reason.DONE), "unknown": (0, State.FAILED, Reason.NO_SESSION)},
    "opencode": {"single": (-15, State.SUCCEEDED, Reason.DONE)},
}


@pytest.mark.parametrize(
    ("agent", "name", "exit_code", "state", "reason"),
    [(agent, name, *expected) for agent, outcomes in OUTCOMES.items() for name, expected in outcomes.items()],
)
def test_a_run_comes_to_its_outcome(agent: str, name: str, exit_code: int, state: State, reason: Reason) -> None:
    outcome = play(agent, name).conversation.judge(exit_code, completed=True)
    assert (outcome.state, outcome.reason) == (state, reason)


@pytest.mark.parametrize("agent", SINGLE)
def test_an_agent_that_ends_well_without_a_delivery_has_failed(agent: str) -> None:
    outcome = play(agent, "single").conversation.judge(0, completed=False)
    assert (outcome.state, outcome.reason) == (State.FAILED, Reason.NO_DELIVERY)


@pytest.mark.parametrize("agent", SINGLE)
def test_an_exit_code_that_is_lost_does_not_matter_after_a_terminal_event(agent: str) -> None:
    assert play(agent, "single").conversation.judge(None, completed=True).state is State.SUCCEEDED


@pytest.mark.parametrize("agent", SINGLE)
@pytest.mark.parametrize(("exit_code", "state"), [(0, State.FAILED), (1, State.FAILED), (None, State.LOST)])
def test_a_stream_without_its_end_is_no_success(agent: str, exit_code: int | None, state: State) -> None:
    conversation = ADAPTERS[agent].conversation(job())
    for line in lines(agent, "single")[:-1]:
        conversation.feed(line)
    assert conversation.judge(exit_code, completed=True).state is state


@pytest.mark.parametrize("agent", SINGLE)
def test_a_run_tells_its_session_its_tools_and_its_last_words(agent: str) -> None:
    played = play(agent, "single")
    assert played.of(Started)[0].session_id
    uses, results = played.of(ToolUse), played.of(ToolResult)
    assert {use.id for use in uses} >= {result.id for result in results}
    assert "complete_subtask" in uses[-1].tool
    assert "completed" in results[-1].text
    assert played.of(Said)[-1].text == played.of(Ended)[-1].text == "Delivered."


@pytest.mark.parametrize(("agent", "turns"), SINGLE.items())
def test_turns_are_counted(agent: str, turns: int) -> None:
    assert len(play(agent, "single").of(Turn)) == turns


@pytest.mark.parametrize(("agent", "name"), recorded())
def test_totals_never_shrink(agent: str, name: str) -> None:
    totals = [(usage.read_tokens, usage.written_tokens, usage.cost_usd or 0) for usage in play(agent, name).of(Usage)]
    assert totals == sorted(totals)


# Claude Code


def test_claude_counts_tokens_cost_and_context() -> None:
    usage = play("claude", "single").of(Usage)[-1]
    assert usage.read_tokens > usage.context > 30_000
    assert (usage.window, usage.written_tokens) == (200_000, 80)
    assert 0.3 < usage.cost_usd < 0.5


def test_claude_counts_a_resumed_session_from_its_resumption() -> None:
    usage = play("claude", "resume", resume=True, session_id="s").of(Usage)[-1]
    assert (usage.read_tokens, usage.written_tokens) == (31_230, 20)
    assert usage.cost_usd == pytest.approx(0.09399)


def test_claude_goes_on_after_an_interruption() -> None:
    played = play("claude", "interrupt")
    assert [(end.ok, end.reason) for end in played.of(Ended)] == [(False, Reason.INTERRUPTED), (True, Reason.DONE)]
    assert played.of(Usage)[-1].written_tokens == 60


def test_claude_is_judged_interrupted_where_nothing_follows() -> None:
    conversation = ADAPTERS["claude"].conversation(job())
    for line in lines("claude", "interrupt"):
        conversation.feed(line)
        if conversation.ended:
            break
    assert conversation.judge(143, completed=False).state is State.INTERRUPTED


def test_claude_without_the_board_says_so() -> None:
    played = play("claude", "noboard")
    assert played.of(Started)[0].board is False
    assert played.conversation.judge(0, completed=False).reason is Reason.NO_BOARD


@pytest.mark.parametrize(
    ("later", "reason"), [("pending", Reason.NO_BOARD), ("failed", Reason.NO_BOARD), ("connected", Reason.NO_DELIVERY)]
)
def test_claude_says_with_each_turn_whether_it_reaches_the_board(later: str, reason: Reason) -> None:
    conversation = ADAPTERS["claude"].conversation(job())
    for status in ("pending", later):
        servers = [{"name": "board", "status": status}]
        conversation.feed(json.dumps({"type": "system", "subtype": "init", "mcp_servers": servers}).encode())
        conversation.feed(b'{"type": "result", "subtype": "success", "is_error": false, "result": "Done."}')
    assert conversation.judge(0, completed=False).reason is reason


def test_claude_asks() -> None:
    ask = play("claude", "ask-allow", rights=Rights.ASK).of(Asks)[0]
    assert (ask.tool, ask.summary) == ("Bash", "rm -rf /srv/elsewhere")


def test_claude_reports_what_it_was_denied() -> None:
    assert play("claude", "denied").of(Denied)[0].tool == "Bash"


def test_claude_tells_of_retries() -> None:
    assert play("claude", "busy").of(Retry)[0].rate_limited
    assert not play("claude", "down").of(Retry)[0].rate_limited


def test_a_limit_of_the_account_names_its_end() -> None:
    conversation = ADAPTERS["claude"].conversation(job())
    conversation.feed(b'{"type":"rate_limit_event","rate_limit_info":{"status":"rejected","resetsAt":1796000000}}')
    outcome = conversation.judge(1, completed=False)
    assert (outcome.state, outcome.retry_at) == (State.RATE_LIMITED, 1_796_000_000)


def test_compaction_is_reported() -> None:
    conversation = ADAPTERS["claude"].conversation(job())
    line = b'{"type":"system","subtype":"compact_boundary","compact_metadata":{"pre_tokens":69301,"post_tokens":9584}}'
    assert conversation.feed(line) == [Compacted(69_301, 9_584)]


# Codex


def test_codex_counts_from_where_the_thread_was_resumed() -> None:
    spent = Usage(read_tokens=14_061, written_tokens=20)
    usage = play("codex", "resume", resume=True, session_id="s", spent=spent).of(Usage)[-1]
    assert 14_000 < usage.read_tokens < 15_000
    assert usage.written_tokens == 20


@pytest.mark.parametrize(
    ("stderr", "reason"),
    [
        ("Error: thread/resume failed: no rollout found for thread id 01a2 (code -32600)", Reason.NO_SESSION),
        ("Error: required MCP servers failed to initialize: board: timed out", Reason.NO_BOARD),
        ("error: unexpected argument '--no' found", Reason.BAD_CALL),
    ],
)
def test_codex_complains_on_standard_error_alone(stderr: str, reason: Reason) -> None:
    outcome = ADAPTERS["codex"].conversation(job()).judge(2, completed=False, stderr=stderr)
    assert (outcome.state, outcome.reason) == (State.FAILED, reason)


def test_codex_reports_commands_that_fail() -> None:
    assert [result.failed for result in play("codex", "fails").of(ToolResult)] == [True, True]
    assert play("codex", "login").of(Retry)[0].attempt == 1
    assert play("codex", "limit").of(Warned)


# Agents of the Agent Client Protocol


def test_acp_measures_the_context_where_the_agent_tells_it() -> None:
    assert play("copilot", "single").of(Usage)[-1].context == 10_426
    assert play("opencode", "single").of(Usage)[-1].cost_usd == pytest.approx(0.101412)


def test_acp_goes_on_after_an_interruption() -> None:
    played = play("gemini", "interrupt")
    assert [end.reason for end in played.of(Ended)] == [Reason.INTERRUPTED, Reason.DONE]


@pytest.mark.parametrize("agent", ["gemini", "opencode"])
def test_acp_hands_asks_on_only_where_a_person_may_answer(agent: str) -> None:
    assert play(agent, "ask-allow", rights=Rights.ASK).of(Asks)[0].tool == "rm -rf b"
    denied = play(agent, "ask-allow", rights=Rights.DENY)
    assert denied.of(Denied) and not denied.of(Asks)
    assert b"reject" in b"".join(denied.of(Send)[-1].lines) or b"cancel" in b"".join(denied.of(Send)[-1].lines)
    bypassed = play(agent, "ask-allow", rights=Rights.BYPASS)
    assert not bypassed.of(Denied) and not bypassed.of(Asks)
