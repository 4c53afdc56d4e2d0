"""The table of behaviours through the services and through the bridge, where two real servers share a database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.behaviours import TABLE, Behaviour
from tests.doors import BridgeDoor, Door, ServiceDoor
from tests.mcp.stdio_client import StdioClient, connected

sentences = pytest.mark.parametrize("behaviour", TABLE, ids=[each.sentence.replace(" ", "-") for each in TABLE])


@sentences
@pytest.mark.django_db
def test_through_the_services(behaviour: Behaviour) -> None:
    show(behaviour, ServiceDoor())


@sentences
def test_through_the_bridge(behaviour: Behaviour, make_bridge_door: Callable[[], BridgeDoor]) -> None:
    show(behaviour, make_bridge_door())


@pytest.fixture(scope="module")
def make_bridge_door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], BridgeDoor]]:
    """Two servers for all behaviours, since a board of its own is all that each needs."""
    folder = tmp_path_factory.mktemp("bridge")
    with ExitStack() as stack:

        def connect() -> StdioClient:
            return stack.enter_context(connected(folder / "home", trial=False))

        clients = {who: connect() for who in "AB"}
        yield lambda: BridgeDoor(clients, connect, folder / "projects")


def show(behaviour: Behaviour, door: Door) -> None:
    for who, verb, key, more, expected in behaviour.steps:
        assert door.do(who, verb, key, **more) == expected, f"{who} {verb} {key}"
    for key, expected in behaviour.ends.items():
        assert door.status(key) == expected, key
