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
OF_ITS_OWN = {"GIT_CEILING_DIRECTORIES": "/elsewhere"}
"""What makes an assistant start a worker, as the site runs without it; the others attach to the site."""
SECONDS = 60.0
KILLS = Counter({"web server": 3, "worker": 5, "proxy": 6, "stdio worker": 6})


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
            Deliverer(f"stdio {number}", partial(Server, home, project, TOOLSETS, **(OF_ITS_OWN if number % 2 else {})))
            for number in range(STDIO_CLIENTS)
        ]
        with at_work([*over_http, *over_stdio]) as clients:
            took = kill_all_over(site, over_http, over_stdio, Random(seed))
        site.process.end()
    assert {client.name: client.wrong for client in clients if client.wrong} == {}
    assert not any(client.is_alive() for client in clients)
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


def kill_all_over(site: SecuredSite, over_http: list[Deliverer], over_stdio: list[Deliverer], chance: Random) -> float:
    """Kill processes at random times, each once it is at work; returns the seconds from the start to the last kill."""
    began, left, served = time.monotonic(), Counter(KILLS), 0

    def processes() -> dict[str, int]:
        """Return a running process of each kind that is still to be killed."""
        found = {
            "web server": child(site.process, "web server") if _calls(over_http) >= served else None,
            "worker": child(site.process, "worker"),
            "proxy": _stdio_process(chance.choice(over_stdio), "proxy"),
            "stdio worker": _stdio_process(chance.choice(over_stdio), "stdio worker"),
        }
        return {kind: pid for kind, pid in found.items() if pid and left[kind] and is_alive(pid)}

    for number in range(left.total()):
        time.sleep(max(0.0, began + SECONDS * (number + chance.random()) / KILLS.total() - time.monotonic()))
        kind, pid = chance.choice(sorted(wait_for(processes, "a process to kill").items()))
        os.kill(pid, signal.SIGKILL)
        left[kind] -= 1
        if kind == "web server":
            served = _calls(over_http) + 3 * HTTP_CLIENTS
    took = time.monotonic() - began
    time.sleep(max(0.0, SECONDS - took))
    return took


def _calls(clients: list[Deliverer]) -> int:
    return sum(client.calls for client in clients)


def _stdio_process(client: Deliverer, kind: str) -> int | None:
    """Return a running process of a client's server that has answered something."""
    server: Any = client.server
    found = [server.process.pid] if kind == "proxy" else server.workers()
    return next((pid for pid in found if is_alive(pid) and server.has_answered), None)


def check(clients: list[Deliverer], found: Audit) -> None:
    """Compare what was acknowledged with what is there."""
    found.check_everything()
    completions = found.completions()
    assert max(completions.values()) == 1
    assert Counter(task for client in clients for task in client.completed) <= completions
    assert {work for client in clients for work in client.works} <= found.works()
    check_nothing_else_was_done(clients, found)
    assert found.rows("SELECT description FROM tasks_task WHERE parent_id IS NULL GROUP BY 1 HAVING count(*) > 1") == []
    parts = {upload: part for client in clients for upload, part in client.parts.items()}
    lost = [
        upload
        for upload, (offset, digest) in parts.items()
        if sha256(found.received(upload, offset)).hexdigest() != digest
    ]
    assert lost == []
    assert all(client.completed for client in clients)


def check_nothing_else_was_done(clients: list[Deliverer], found: Audit) -> None:
    """Every call was repeated until it was answered, so nothing happened but what was acknowledged, or in conflict."""
    verbs: Counter[str] = sum((client.verbs for client in clients), Counter())
    conflicts: Counter[str] = sum((client.conflicts for client in clients), Counter())
    assert verbs <= found.verbs()
    surplus = found.verbs() - verbs
    assert surplus["plan"] == 0
    claims = [claim for client in clients for claim in client.claims]
    assert len(claims) == len(set(claims))
    assert set(claims) <= set(found.claims())
    # A key is good for the session that claims. What a killed one had claimed is taken back with its end or, over HTTP,
    # where nothing tells the end of a session that the killed site knew, with the end of the lease.
    cut_off = sum(client.cut_off["execute_subtask"] for client in clients)
    unknown = {claim for claim, ended_by in found.claims().items() if ended_by != "orchestrator"} - set(claims)
    assert len(unknown) <= conflicts["execute_subtask"] + cut_off, unknown
    for verb in ("complete", "hand_back", "deliver"):
        assert surplus[verb] <= conflicts["complete_subtask"] + conflicts["store_artifact"], verb


def _summary(clients: list[Deliverer], took: float) -> str:
    def total(name: str) -> int:
        return sum(value if isinstance(value := getattr(each, name), int) else len(value) for each in clients)

    return (
        f"{KILLS.total()} kills in {took:.0f} s; {total('calls')} calls, {total('lost_servers')} cut off, "
        f"{total('transient')} transient, {total('late')} late; {total('completed')} acknowledged completions, "
        f"{total('works')} works ({total('large_works')} in files), {total('number_of_parts')} parts; 0 lost, 0 twice"
    )
