"""Whether the site answers at its address."""

from __future__ import annotations

import socket
from threading import Thread

import pytest

from orchestrator_site.up.address import is_reachable


def test_a_site_on_this_machine_is_reached_without_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        answering = Thread(target=_answer, args=(listener,))
        answering.start()
        assert is_reachable(f"http://127.0.0.1:{listener.getsockname()[1]}/healthz")
        answering.join()


def _answer(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "nonsense"])
def test_what_does_not_answer_is_not_reachable(url: str) -> None:
    assert not is_reachable(url)
