"""No line of any agent upsets an adapter, and the same log always says the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.agents.adapters import ADAPTERS
from tasks.agents.adapters.events import Event, Outcome, Said, Usage
from tasks.agents.adapters.jobs import Rights
from tasks.agents.adapters.values import TEXT_LIMIT
from tests.agents.recorded import job, lines, play, recorded

AGENTS = list(ADAPTERS)
EXIT_CODES = [None, 0, 1, -9, 143]
HOSTILE = [
    b"", b"\n", b"\xff\xfe\x00", b"null", b"[]", b'"x"', b"7", b"{", b"{}", b'{"type":[]}', b'{"type":{}}', b'{"id":1}',
    b"[" * 100_000, b'{"a":' * 100_000, b'{"type":"result","total_cost_usd":NaN}', b'{"n":' + b"9" * 10_000 + b"}",
    b'{"type":"result","model_usage_since_last_result":{"m":{"costUSD":Infinity,"inputTokens":-5}}}',
    b'{"type":"turn.completed","usage":{"input_tokens":1e308,"output_tokens":true}}',
    b'{"type":"assistant","message":{"id":{},"content":[{"type":"text","text":"\\ud800\\u0000"}]}}',
    b'{"type":"system","subtype":"init","session_id":{"a":1},"mcp_servers":7}',
    b'{"type":"turn.completed","usage":{"input_tokens":' + b"9" * 1_000 + b"}}",
    b'{"id":1,"result":null}', b'{"id":2,"result":[]}', b'{"id":3,"result":{"stopReason":[]}}',
    b'{"id":null,"error":7}',
    b'{"id":{"a":[1]},"method":"session/request_permission","params":[]}', b'{"method":"session/update"}',
    b'{"type":"error","message":"Reconnecting... 99999999999999999999/1"}',
    b"\xef\xbb\xbf{}", b'{"type":"item.completed","item":{"type":"file_change","id":[],"changes":[1,{"path":[]}]}}',
]  # fmt: skip


def words(value: Any) -> Iterator[str]:
    """Yield every key and every short string."""
    if isinstance(value, dict):
        yield from value
    elif isinstance(value, str) and len(value) < 25:
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from words(each)


def storable(value: Any) -> bool:
    """Say whether a database takes it."""
    if isinstance(value, str):
        value.encode()
        return "\0" not in value and len(value) <= TEXT_LIMIT
    return value is None or 0 <= value <= 2**53


def check(events: list[Event]) -> None:
    for event in events:
        values = [getattr(event, name) for name in event.__slots__]
        assert all(storable(value) for value in values if isinstance(value, str | int | float))


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("rights", list(Rights))
def test_hostile_lines_are_survived(agent: str, rights: Rights) -> None:
    conversation = ADAPTERS[agent].conversation(job(rights=rights))
    for line in HOSTILE:
        check(conversation.feed(line))
    for exit_code in EXIT_CODES:
        assert isinstance(conversation.judge(exit_code, completed=True, stderr="\ud800\0"), Outcome)


@pytest.mark.parametrize("agent", AGENTS)
@given(line=st.binary())
def test_no_bytes_raise(agent: str, line: bytes) -> None:
    check(ADAPTERS[agent].conversation(job()).feed(line))


# Words that adapters look for, so that examples get past the first look.
_WORDS = sorted({word for agent, name in recorded() for line in lines(agent, name) for word in words(json.loads(line))})
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(_WORDS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(_WORDS), inner, max_size=5),
    max_leaves=20,
)


@pytest.mark.parametrize("agent", AGENTS)
@given(messages=st.lists(st.dictionaries(st.sampled_from(_WORDS), _VALUES, max_size=6), max_size=5))
def test_no_json_raises(agent: str, messages: list[dict[str, Any]]) -> None:
    conversation = ADAPTERS[agent].conversation(job(rights=Rights.ASK))
    for message in messages:
        check(conversation.feed(json.dumps(message).encode()))
    conversation.judge(0, completed=True)


@given(data=st.data())
def test_a_recorded_line_that_was_altered_anywhere_does_not_raise(data: st.DataObject) -> None:
    """Put a stranger's value in the place of any one value of a recorded line, in the midst of its stream."""
    agent, name = data.draw(st.sampled_from(recorded()))
    stream = lines(agent, name)
    at = data.draw(st.integers(0, len(stream) - 1))
    conversation = ADAPTERS[agent].conversation(job(rights=Rights.ASK))
    for number, line in enumerate(stream):
        if number == at:
            message = json.loads(line)
            holder, key = data.draw(st.sampled_from(list(_places(message))))
            holder[key] = data.draw(_VALUES)
            line = json.dumps(message).encode()
        check(conversation.feed(line))


def _places(value: Any) -> Any:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in pairs:
        yield value, key
        yield from _places(each)


@pytest.mark.parametrize(("agent", "name"), recorded())
def test_a_line_that_was_cut_is_survived(agent: str, name: str) -> None:
    conversation = ADAPTERS[agent].conversation(job())
    for line in lines(agent, name):
        check(conversation.feed(line[: len(line) // 2]))
    assert not conversation.ended


@pytest.mark.parametrize(("agent", "name"), recorded())
def test_a_log_that_is_fed_again_says_the_same(agent: str, name: str) -> None:
    first, again = play(agent, name), play(agent, name)
    assert first.events == again.events
    assert first.conversation.judge(0, completed=True) == again.conversation.judge(0, completed=True)


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_the_end_of_a_line_does_not_matter(end: bytes) -> None:
    conversation = ADAPTERS["claude"].conversation(job())
    events = [event for line in lines("claude", "single") for event in conversation.feed(line.rstrip() + end)]
    assert events == play("claude", "single").events


def test_a_huge_line_is_read_and_its_text_cut() -> None:
    conversation = ADAPTERS["claude"].conversation(job())
    block = {"type": "text", "text": "x" * 10_000_000}
    events = conversation.feed(json.dumps({"type": "assistant", "message": {"id": "1", "content": [block]}}).encode())
    assert [len(event.text) for event in events if isinstance(event, Said)] == [TEXT_LIMIT]


def test_a_message_that_never_ends_is_handed_on_in_pieces() -> None:
    conversation = ADAPTERS["gemini"].conversation(job())
    update = {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": "word " * 100}}
    line = json.dumps({"method": "session/update", "params": {"update": update}}).encode()
    events = [event for _ in range(100) for event in conversation.feed(line)]
    assert len(events) > 5
    check(events)


def test_usage_adds_up() -> None:
    first, second = Usage(10, 2, 3, None, 10, None), Usage(20, 4, 0, 0.5, None, 200)
    assert first.plus(second) == Usage(30, 6, 3, 0.5, 10, 200)
