"""A whole site and its clients are killed all over: what was acknowledged is there once, whoever looks.

The audit uses `sqlite3` and `hashlib` alone. `STORM_SEED` repeats the kills of a run.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.mcp.http_client import FULL
from tests.mcp.secured import SecuredSite, secured
from tests.mcp.stdio_client import is_alive
from tests.site.test_supervisor import child
from tests.storm.audit import Audit, audit
from tests.storm.client import Server, wait_for
from tests.storm.deliverer import Deliverer
from tests.storm.remote import Remote

pytestmark = [pytest.mark.storm, pytest.mark.timeout(600)]

UP = ("manage.py", "up", "--port", "0", "--workers", "1")
TOOLSETS = "core,artifacts"
HTTP_CLIENTS, STDIO_CLIENTS = 8, 4
SECONDS = 60.0
KINDS = ("web server", "worker", "proxy", "stdio worker")
KILLS = 20


def test_a_site_and_clients_that_are_killed_lose_nothing_and_do_nothing_twice(
    home: Path, project: Path, tmp_path: Path, tell: Callable[[str], None]
) -> None:
    seed = int(os.environ.get("STORM_SEED") or int.from_bytes(os.urandom(4)))
    tell(f"STORM_SEED={seed}")
    tokens = {f"http {number}": FULL for number in range(HTTP_CLIENTS)}
    facts = {"DJANGO_SETTINGS_MODULE": "orchestrator_site.settings", "ORCHESTRATOR_TOOLSETS": TOOLSETS}
    with secured(tmp_path, tokens, command=UP, **facts) as site:
        over_http = [Deliverer(name, _remote(site, name, project, number)) for number, name in enumerate(tokens)]
        over_stdio = [
            Deliverer(f"stdio {number}", lambda: Server(home, project, TOOLSETS)) for number in range(STDIO_CLIENTS)
        ]
        with at_work([*over_http, *over_stdio]) as clients:
            took = kill_all_over(site, over_stdio, Random(seed))
        site.process.end()
    assert {client.name: client.wrong for client in clients if client.wrong} == {}
    with audit(home) as found:
        check(clients, found)
    tell(_summary(clients, took))


def _remote(site: SecuredSite, name: str, project: Path, number: int) -> Callable[[], Remote]:
    """Each era of the protocol has half of the clients."""
    return partial(Remote, site.port, site.secrets[name], project, modern=number % 2 == 0)


@contextmanager
def at_work(clients: list[Deliverer]) -> Iterator[list[Deliverer]]:
    """Let clients work, and stop each after what it has in hand."""
    clients[0].arrive()  # makes the project
    for client in clients:
        client.start()
    try:
        yield clients
    finally:
        for client in clients:
            client.is_working = False
        for client in clients:
            client.join(200)
            client.server.end()


def kill_all_over(site: SecuredSite, over_stdio: list[Deliverer], chance: Random) -> float:
    """Kill a process of each kind in turn, at random times; returns the seconds from the first to the last."""
    kinds = list(KINDS) * (KILLS // len(KINDS))
    chance.shuffle(kinds)
    began = time.monotonic()
    times = [began + SECONDS * (number + chance.random()) / KILLS for number in range(KILLS)]
    killed: list[float] = []
    for kind, at in zip(kinds, times, strict=True):
        time.sleep(max(0.0, at - time.monotonic()))
        if kind in ("web server", "worker"):
            pid = wait_for(lambda: next(filter(is_alive, [child(site.process, kind)]), None), f"the {kind}")  # noqa: B023
        else:
            pid = wait_for(lambda: _stdio_process(chance.choice(over_stdio), kind), f"a {kind}")  # noqa: B023
        os.kill(pid, signal.SIGKILL)
        killed.append(time.monotonic())
    time.sleep(max(0.0, began + SECONDS - time.monotonic()))
    return killed[-1] - killed[0]


def _stdio_process(client: Deliverer, kind: str) -> int | None:
    """Return a running process of a client's server that has answered something."""
    server: Any = client.server
    found = [server.process.pid] if kind == "proxy" else server.workers()
    return next((pid for pid in found if is_alive(pid) and server.workers()), None)


def check(clients: list[Deliverer], found: Audit) -> None:
    """Compare what was acknowledged with what is there."""
    found.check_everything()
    completions = found.completions()
    assert max(completions.values()) == 1
    assert Counter(task for client in clients for task in client.completed) <= completions
    assert {work for client in clients for work in client.works} <= found.works()
    verbs: Counter[str] = sum((client.verbs for client in clients), Counter())
    assert verbs <= found.verbs()
    assert found.rows("SELECT description FROM tasks_task WHERE parent_id IS NULL GROUP BY 1 HAVING count(*) > 1") == []
    parts = {upload: part for client in clients for upload, part in client.parts.items()}
    lost = [
        upload
        for upload, (offset, digest) in parts.items()
        if sha256(found.received(upload, offset)).hexdigest() != digest
    ]
    assert lost == []
    assert all(client.completed for client in clients)


def _summary(clients: list[Deliverer], took: float) -> str:
    def total(name: str) -> int:
        return sum(value if isinstance(value := getattr(each, name), int) else len(value) for each in clients)

    return (
        f"{KILLS} kills in {took:.0f} s; {total('calls')} calls, {total('lost_servers')} cut off, "
        f"{total('transient')} transient, {total('late')} late; {total('completed')} acknowledged completions, "
        f"{total('works')} works ({total('large_works')} in files), {total('number_of_parts')} parts; 0 lost, 0 twice"
    )
