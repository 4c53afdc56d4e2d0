"""The table of behaviours through every entry point: services, MCP over pipes and over HTTP, and REST."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.behaviours import LIFECYCLE, TABLE, Behaviour
from tests.entry_points import Bridge, Client, EntryPoint, RestApi, Services
from tests.mcp.http_client import FULL, Window, served
from tests.mcp.resident import serving
from tests.mcp.stdio_client import connected


def _each(table: list[Behaviour]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("behaviour", table, ids=[each.sentence.replace(" ", "-") for each in table])


sentences, all_sentences = _each(TABLE), _each([*TABLE, *LIFECYCLE])


@all_sentences
@pytest.mark.django_db
def test_through_the_services(behaviour: Behaviour) -> None:
    show(behaviour, Services())


@all_sentences
@pytest.mark.django_db
def test_through_rest(behaviour: Behaviour) -> None:
    show(behaviour, RestApi())


@sentences
def test_through_the_bridge(behaviour: Behaviour, make_bridge: Callable[[], Bridge]) -> None:
    show(behaviour, make_bridge())


@sentences
def test_through_the_bridge_of_a_running_site(behaviour: Behaviour, make_resident_bridge: Callable[[], Bridge]) -> None:
    show(behaviour, make_resident_bridge())


@sentences
def test_through_the_bridge_over_http(behaviour: Behaviour, make_http_bridge: Callable[[], Bridge]) -> None:
    show(behaviour, make_http_bridge())


@pytest.fixture(scope="module")
def make_bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Bridge]]:
    """Two servers for all behaviours, since a board of its own is all that each needs."""
    folder = tmp_path_factory.mktemp("bridge")
    with ExitStack() as stack:

        def connect(who: str) -> Client:
            return stack.enter_context(connected(folder / "home", trial=False))

        clients = {who: connect(who) for who in "AB"}
        yield lambda: Bridge(clients, connect, folder / "projects")


@pytest.fixture(scope="module")
def make_resident_bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Bridge]]:
    """Two assistants that a site serves, which need no worker."""
    folder = tmp_path_factory.mktemp("resident")
    with ExitStack() as stack:
        stack.enter_context(serving(folder / "home", trial=False))

        def connect(who: str) -> Client:
            client = stack.enter_context(connected(folder / "home", trial=False, modern=who == "B"))
            assert not client.has_worker()
            return client

        clients = {who: connect(who) for who in "AB"}
        yield lambda: Bridge(clients, connect, folder / "projects")


@pytest.fixture(scope="module", params=["2025-06-18", "2026-07-28"])
def make_http_bridge(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Bridge]]:
    """Two tokens at one site for all behaviours: with a connection each, and with nothing but a handle each."""
    folder = tmp_path_factory.mktemp("http")
    with served(folder / "home", {"A": FULL, "B": FULL}) as site:

        def connect(who: str) -> Client:
            if request.param == "2026-07-28":
                return Window(site.client(who))
            return site.client(who, modern=False)

        clients = {who: connect(who) for who in "AB"}
        yield lambda: Bridge(clients, connect, folder / "projects")


def show(behaviour: Behaviour, entry_point: EntryPoint) -> None:
    for who, verb, key, more, expected in behaviour.steps:
        assert entry_point.do(who, verb, key, **more) == expected, f"{who} {verb} {key}"
    for key, expected in behaviour.ends.items():
        assert entry_point.status(key) == expected, key
