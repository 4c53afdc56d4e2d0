"""The port is taken first."""

from __future__ import annotations

import socket

import pytest

from orchestrator_site.up.port import address_of, take_port
from tasks.errors import Conflict, Forbidden, Invalid


def test_a_port_that_was_taken_cannot_be_taken_again() -> None:
    with take_port("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(Conflict) as refusal:
            take_port("localhost", port)
    assert f"--port {port + 1}" in refusal.value.next
    take_port("127.0.0.1", port).close()


def test_the_address_holds_the_port_that_the_system_chose() -> None:
    with take_port("localhost", 0) as listener:
        assert address_of(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_an_address_of_ipv6_stands_in_brackets() -> None:
    try:
        listener = take_port("::1", 0)
    except Invalid:
        with pytest.raises(OSError), socket.socket(socket.AF_INET6) as probe:  # this machine has no IPv6
            probe.bind(("::1", 0))
        return
    with listener:
        assert address_of(listener).startswith("http://[::1]:")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com", "", "127.0.0.2"])
def test_any_other_host_is_refused(host: str) -> None:
    with pytest.raises(Forbidden, match="this machine only"):
        take_port(host, 0)


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_number_that_is_no_port_is_refused(port: int) -> None:
    with pytest.raises(Invalid, match="0 to 65535"):
        take_port("127.0.0.1", port)
