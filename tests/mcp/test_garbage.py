"""Lines that are not messages get an error, and the server continues."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.mcp.stdio_client import connected

PARSE_ERROR, INVALID_REQUEST = -32700, -32600

GARBAGE: list[tuple[bytes, int, Any]] = [
    (b"not json", PARSE_ERROR, None),
    (b'{"jsonrpc":"2.0",', PARSE_ERROR, None),
    (b'{"jsonrpc":"2.0","id":50,"method":"ping\xff"}', PARSE_ERROR, None),
    (b'{"jsonrpc":"2.0","id":51,"method":"ping","params":{"x":NaN}}', PARSE_ERROR, None),
    (b"[" * 200_000, INVALID_REQUEST, None),
    (b"7", INVALID_REQUEST, None),
    (b'"text"', INVALID_REQUEST, None),
    (b"null", INVALID_REQUEST, None),
    (b'[{"jsonrpc":"2.0","id":52,"method":"ping"}]', INVALID_REQUEST, None),
    (b"{}", INVALID_REQUEST, None),
    (b'{"id":53,"method":"ping"}', INVALID_REQUEST, 53),
    (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', INVALID_REQUEST, None),
    (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', INVALID_REQUEST, None),
    (b'{"jsonrpc":"2.0","id":{},"method":"ping"}', INVALID_REQUEST, None),
    (b'{"jsonrpc":"2.0","id":54,"method":7}', INVALID_REQUEST, 54),
    (b'{"jsonrpc":"2.0","id":55}', INVALID_REQUEST, 55),
    (b'{"jsonrpc":"2.0","id":56,"method":"ping","params":[1]}', INVALID_REQUEST, 56),
    (b'{"jsonrpc":"2.0","id":57,"method":"ping","params":{"x":"\\ud800"}}', INVALID_REQUEST, 57),
]


@pytest.mark.parametrize("modern", [False, True])
def test_garbage_gets_an_error_and_changes_nothing(home: Path, modern: bool) -> None:
    with connected(home, modern=modern) as client:
        pid = client.call("trial_echo")["pid"]
        for line, code, id in GARBAGE:
            client.send_raw(line + b"\n")
            answer = client.next_message()
            assert (answer["error"]["code"], answer["id"]) == (code, id), line[:80]
        client.send_raw(b"\n  \r\n")
        assert client.call("trial_echo", text="alive") | {"pid": pid, "text": "alive"} == client.call(
            "trial_echo", text="alive"
        )
        assert client.end() == 0
        assert client.rest() == []


def test_a_line_that_is_too_long_is_discarded_while_it_is_read(home: Path) -> None:
    with connected(home) as client:
        for _ in range(33):
            client.send_raw(b"x" * 1024 * 1024)
        client.send_raw(b"\n")
        assert client.next_message()["error"]["code"] == INVALID_REQUEST
        assert _peak_megabytes(client.process.pid) < 90
        text = "é" * 150_000  # a long line within the limit is served by the same process
        assert client.call("trial_echo", text=text)["text"] == text


def _peak_megabytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) // 1024
    raise AssertionError("no peak")
