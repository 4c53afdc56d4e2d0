"""Opening the port."""

from __future__ import annotations

import socket

import pytest
from pytest_django import Settings

from orchestrator_site.kernel.errors import Conflict, Forbidden, Invalid
from orchestrator_site.up.port import address_of, take_port


def test_a_port_in_use_is_a_conflict() -> None:
    with take_port("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(Conflict) as caught:
            take_port("localhost", port)
    assert f"--port {port + 1}" in caught.value.next
    take_port("127.0.0.1", port).close()


def test_the_url_has_the_port_that_the_system_chose() -> None:
    with take_port("localhost", 0) as listener:
        assert address_of(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_an_ipv6_address_is_in_brackets() -> None:
    try:
        listener = take_port("::1", 0)
    except Invalid:
        with pytest.raises(OSError), socket.socket(socket.AF_INET6) as probe:  # this machine has no IPv6
            probe.bind(("::1", 0))
        return
    with listener:
        assert address_of(listener).startswith("http://[::1]:")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com", "", "127.0.0.2"])
def test_any_other_host_is_forbidden(host: str) -> None:
    with pytest.raises(Forbidden):
        take_port(host, 0)


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_number_that_is_not_a_port_is_invalid(port: int) -> None:
    with pytest.raises(Invalid):
        take_port("127.0.0.1", port)


def behind_a_proxy(settings: Settings) -> None:
    settings.ORCHESTRATOR_TLS = True
    settings.ALLOWED_HOSTS = ["localhost", ".orchestrator.example"]


def test_another_host_is_allowed_behind_a_tls_proxy_with_a_name(settings: Settings) -> None:
    behind_a_proxy(settings)
    with take_port("0.0.0.0", 0) as listener:
        assert listener.getsockname()[0] == "0.0.0.0"
        assert address_of(listener) == "https://orchestrator.example"


@pytest.mark.parametrize(
    ("tls", "names"), [(True, ["localhost", "[::1]"]), (True, ["*"]), (False, ["orchestrator.example"])]
)
def test_another_host_needs_both_tls_and_a_name(settings: Settings, tls: bool, names: list[str]) -> None:
    settings.ORCHESTRATOR_TLS = tls
    settings.ALLOWED_HOSTS = names
    with pytest.raises(Forbidden) as caught:
        take_port("0.0.0.0", 0)
    assert "ORCHESTRATOR_ALLOWED_HOSTS" in caught.value.next
    assert "--insecure" in caught.value.next


def test_another_host_is_allowed_with_insecure(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["localhost"]
    with take_port("0.0.0.0", 0, insecure=True) as listener:
        port = listener.getsockname()[1]
        assert address_of(listener) == f"http://127.0.0.1:{port}"
        settings.ALLOWED_HOSTS = ["*", "board.example"]
        assert address_of(listener) == f"http://board.example:{port}"


@pytest.mark.parametrize("host", ["", "nobody.invalid", "192.0.2.1"])
def test_a_host_that_is_not_this_machine_is_invalid_even_then(host: str) -> None:
    with pytest.raises(Invalid):
        take_port(host, 0, insecure=True)
