"""What is written to agents: messages, answers, interruptions, and the protocol's own requests."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestrator_site.kernel.errors import Conflict
from tasks.agents.adapters import ADAPTERS
from tasks.agents.adapters.base import Conversation
from tasks.agents.adapters.events import Asks, Ended, Reason, Said, Send, Started, State, ToolResult, Withdrawn
from tasks.agents.adapters.jobs import Rights
from tests.agents.recorded import BOARD, job, lines, play

ACP = ["gemini", "copilot", "opencode"]


def sent(written: list[bytes] | tuple[bytes, ...]) -> list[Any]:
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in written)
    return [json.loads(line) for line in written]


def until(agent: str, name: str, kind: type, **options: Any) -> tuple[Conversation, Any]:
    """Feed a stream until an event of that kind has come."""
    conversation = ADAPTERS[agent].conversation(job(**options))
    for line in lines(agent, name):
        for event in conversation.feed(line):
            if isinstance(event, kind):
                return conversation, event
    raise AssertionError(f"{name} has no {kind.__name__}")


# Claude Code


def test_claude_gets_the_brief_and_messages_as_lines_of_its_user() -> None:
    conversation = ADAPTERS["claude"].conversation(job())
    assert sent(conversation.opening())[0]["message"] == {"role": "user", "content": "Write the parser."}
    assert sent(conversation.message("Use\ntabs."))[0]["message"]["content"] == "Use\ntabs."


@pytest.mark.parametrize("text", ["/clear", "  /exit", "!rm -rf .", "#remember", "$x", "@file"])
def test_a_message_is_no_command_of_the_agent(text: str) -> None:
    for agent in ("claude", "gemini"):
        message = sent(play(agent, "single").conversation.message(text))[0]
        content = message["message"]["content"] if agent == "claude" else message["params"]["prompt"][0]["text"]
        assert content == f"Message: {text}"


def test_claude_is_interrupted_by_a_line() -> None:
    request = sent(ADAPTERS["claude"].conversation(job()).interrupt())[0]
    assert (request["type"], request["request"]) == ("control_request", {"subtype": "interrupt"})


def test_claude_is_allowed_what_it_asked_for() -> None:
    conversation, ask = until("claude", "ask-allow", Asks, rights=Rights.ASK)
    response = sent(conversation.answer(ask.ask_id, allow=True))[0]["response"]
    assert (response["request_id"], response["response"]["behavior"]) == (ask.ask_id, "allow")
    assert response["response"]["updatedInput"]["command"] == "rm -rf /srv/elsewhere"


def test_claude_is_denied_with_the_reason() -> None:
    conversation, ask = until("claude", "ask-allow", Asks, rights=Rights.ASK)
    response = sent(conversation.answer(ask.ask_id, allow=False, reason="Not here."))[0]["response"]["response"]
    assert response == {"behavior": "deny", "message": "Not here."}


@pytest.mark.parametrize(("agent", "name"), [("claude", "ask-allow"), ("gemini", "ask-allow")])
def test_an_ask_is_answered_once(agent: str, name: str) -> None:
    conversation, ask = until(agent, name, Asks, rights=Rights.ASK)
    conversation.answer(ask.ask_id, allow=True)
    with pytest.raises(Conflict):
        conversation.answer(ask.ask_id, allow=False)


@pytest.mark.parametrize("agent", list(ADAPTERS))
def test_what_was_not_asked_cannot_be_answered(agent: str) -> None:
    with pytest.raises(Conflict):
        ADAPTERS[agent].conversation(job()).answer("1", allow=True)


def test_claude_takes_an_ask_back() -> None:
    conversation, ask = until("claude", "ask-allow", Asks, rights=Rights.ASK)
    cancelled = json.dumps({"type": "control_cancel_request", "request_id": ask.ask_id}).encode()
    assert conversation.feed(cancelled) == [Withdrawn(ask.ask_id)]
    with pytest.raises(Conflict):
        conversation.answer(ask.ask_id, allow=True)


def test_claude_hears_that_other_requests_are_not_understood() -> None:
    line = b'{"type":"control_request","request_id":"r7","request":{"subtype":"hook_callback"}}'
    (event,) = ADAPTERS["claude"].conversation(job()).feed(line)
    assert isinstance(event, Send)
    response = sent(event.lines)[0]["response"]
    assert (response["request_id"], response["subtype"]) == ("r7", "error")


# The Agent Client Protocol


@pytest.mark.parametrize("agent", ACP)
def test_acp_opens_a_session_in_the_worktree_and_sends_rules_and_brief(agent: str) -> None:
    conversation = ADAPTERS[agent].conversation(job())
    opening = sent(conversation.opening())
    for line in lines(agent, "single"):
        opening += [
            request for event in conversation.feed(line) if isinstance(event, Send) for request in sent(event.lines)
        ]
    methods = [request["method"] for request in opening if "method" in request]
    assert methods == ["initialize", "session/new", "session/prompt"]
    assert opening[1]["params"]["cwd"] == str(ADAPTERS[agent].launch(job()).folder)
    prompt = opening[2]["params"]["prompt"][0]["text"]
    assert prompt.endswith("Follow the rules.\n\nWrite the parser.")
    assert agent != "gemini" or "/data/worktrees/run_1" in prompt


def test_acp_hands_over_the_board() -> None:
    _, event = until("copilot", "single", Send)
    (server,) = sent(event.lines)[0]["params"]["mcpServers"]
    assert (server["type"], server["name"], server["url"]) == ("http", "board", BOARD.url)
    assert server["headers"] == [{"name": "Authorization", "value": f"Bearer {BOARD.token}"}]


def test_acp_loads_the_session_that_it_resumes_and_shows_no_old_calls() -> None:
    played = play("copilot", "resume", resume=True, session_id="old")
    request = sent(played.of(Send)[0].lines)[0]
    assert (request["method"], request["params"]["sessionId"]) == ("session/load", "old")
    assert played.of(Started)[0].session_id == "old"
    assert not played.of(ToolResult)


@pytest.mark.parametrize("agent", ACP)
def test_acp_takes_messages_between_turns_only(agent: str) -> None:
    conversation, _ = until(agent, "single", Started)
    assert not conversation.takes_messages
    with pytest.raises(Conflict):
        conversation.message("Deliver now.")
    conversation, _ = until(agent, "single", Ended)
    assert conversation.takes_messages and conversation.ended
    request = sent(conversation.message("Deliver now."))[0]
    assert (request["method"], request["params"]["prompt"][0]["text"]) == ("session/prompt", "Deliver now.")
    assert request["id"] > 3


@pytest.mark.parametrize(("agent", "name"), [("claude", "limit"), ("claude", "turns"), ("gemini", "login")])
def test_an_agent_that_failed_takes_no_messages(agent: str, name: str) -> None:
    conversation = play(agent, name).conversation
    assert conversation.ended and not conversation.takes_messages


def test_acp_takes_no_messages_before_there_is_a_session() -> None:
    conversation = play("gemini", "unknown", resume=True, session_id="old").conversation
    assert not conversation.takes_messages and not conversation.interrupt()


@pytest.mark.parametrize("agent", ["claude", *ACP])
def test_a_message_after_the_end_begins_a_turn(agent: str) -> None:
    conversation = play(agent, "single").conversation
    conversation.message("Deliver now.")
    assert not conversation.ended
    assert conversation.judge(None, completed=True).state is State.LOST


def test_an_agent_that_goes_on_has_not_ended_for_one_who_did_not_send_the_message() -> None:
    conversation = play("gemini", "single").conversation
    update = {"sessionUpdate": "tool_call", "toolCallId": "7", "status": "in_progress", "title": "ls"}
    conversation.feed(json.dumps({"method": "session/update", "params": {"update": update}}).encode())
    assert not conversation.ended


def test_acp_is_interrupted_by_a_notification() -> None:
    conversation, started = until("gemini", "interrupt", Started)
    request = sent(conversation.interrupt())[0]
    assert (request["method"], request["params"]) == ("session/cancel", {"sessionId": started.session_id})
    assert "id" not in request


@pytest.mark.parametrize(("allow", "option"), [(True, "proceed_once"), (False, "cancel")])
def test_acp_asks_are_answered_by_their_options(allow: bool, option: str) -> None:
    conversation, ask = until("gemini", "ask-allow", Asks, rights=Rights.ASK)
    answer = sent(conversation.answer(ask.ask_id, allow=allow))[0]
    assert answer["result"] == {"outcome": {"outcome": "selected", "optionId": option}}


def test_acp_hears_that_other_requests_are_not_understood() -> None:
    line = b'{"jsonrpc":"2.0","id":"x","method":"fs/read_text_file","params":{"path":"/etc/passwd"}}'
    (event,) = ADAPTERS["gemini"].conversation(job()).feed(line)
    assert isinstance(event, Send)
    answer = sent(event.lines)[0]
    assert (answer["id"], answer["error"]["code"]) == ("x", -32601)


# What takes no part in a dialogue


@pytest.mark.parametrize("agent", ["codex", "command"])
def test_what_reads_its_input_to_the_end_takes_no_messages(agent: str) -> None:
    conversation = ADAPTERS[agent].conversation(job())
    assert not conversation.takes_messages and not conversation.interrupt()
    with pytest.raises(Conflict):
        conversation.message("Deliver now.")


def test_a_command_is_judged_by_its_exit_code() -> None:
    conversation = ADAPTERS["command"].conversation(job())
    assert conversation.feed(b"Compiling \xff\r\n") == [Said("Compiling \N{REPLACEMENT CHARACTER}")]
    outcomes = [
        (conversation.judge(0, completed=True), State.SUCCEEDED, Reason.DONE),
        (conversation.judge(0, completed=False), State.FAILED, Reason.NO_DELIVERY),
        (conversation.judge(3, completed=True), State.FAILED, Reason.ERROR),
        (conversation.judge(137, completed=True), State.FAILED, Reason.SIGNAL),
        (conversation.judge(None, completed=True), State.LOST, Reason.NO_RESULT),
    ]
    assert all((outcome.state, outcome.reason) == (state, reason) for outcome, state, reason in outcomes)
