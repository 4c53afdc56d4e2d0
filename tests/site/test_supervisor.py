"""`manage.py up` with its children: they are restarted when they exit, and none of them outlives it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

import psutil
import pytest

from orchestrator_site.up import child as children
from orchestrator_site.up.child import Child
from orchestrator_site.up.orphans import end_orphans
from orchestrator_site.up.pdeathsig import OPTION
from orchestrator_site.up.supervisor import FIRST_SECONDS, ChildGaveUp, Probe, Supervisor
from tests.homes import make_home
from tests.site.processes import DEADLINE_SECONDS, Site, group, manage, start, wait_until

UP = ("manage.py", "up", "--port", "0", "--workers", "1")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site with its worker, for all tests that leave it as they found it."""
    folder = tmp_path_factory.mktemp("up")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORCHESTRATOR_HOME", str(make_home(folder / "home")))
        patch.delenv("DATABASE_URL", raising=False)
        with start(folder, *UP) as running:
            running.wait_until_greeted()
            greeted = time.monotonic()
            wait_until(lambda: readiness(running)["checks"]["worker"]["ok"], "the first heartbeat")
            # A worker that dies sooner counts as one that cannot start.
            wait_until(lambda: time.monotonic() - greeted > FIRST_SECONDS, "a while")
            yield running


def readiness(site: Site) -> dict[str, Any]:
    try:
        return dict(json.load(urlopen(f"{site.address}/readyz", timeout=DEADLINE_SECONDS)))
    except HTTPError as error:
        return dict(json.load(error))


def started(text: str, name: str) -> list[int]:
    """Return the processes that a log says were started under a name."""
    return [int(pid) for pid in re.findall(rf" INFO orchestrator_site\.up\.supervisor: The {name} .*\D(\d+)\)", text)]


def child(site: Site, name: str) -> int:
    """Return the process that was started last under a name."""
    return started(site.err.read_text(), name)[-1]


def restarts(site: Site, name: str) -> list[str]:
    """Return the warnings that a child exited and is restarted."""
    return re.findall(rf" WARNING orchestrator_site\.up\.supervisor: The {name} .*", site.err.read_text())


def test_a_started_site_with_its_worker_is_ready(site: Site) -> None:
    facts = readiness(site)
    assert facts["status"] == "ready"
    assert facts["checks"]["worker"]["expected"] is True


def test_a_killed_web_server_is_restarted_and_requests_wait_for_it(site: Site) -> None:
    before = child(site, "web server")
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: not group(before), "its exit")
    assert urlopen(f"{site.address}/healthz", timeout=DEADLINE_SECONDS).status == 200
    assert child(site, "web server") != before
    assert "signal 9" in restarts(site, "web server")[-1]


def test_a_killed_worker_is_restarted_and_leaves_no_orphan(site: Site) -> None:
    before = child(site, "worker")
    wait_until(lambda: len(group(before)) > 3, "the worker's own processes")
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: child(site, "worker") != before, "another worker")
    assert group(before) == []
    wait_until(lambda: len(group(child(site, "worker"))) > 3, "its own processes")
    assert "signal 9" in restarts(site, "worker")[-1]


def test_a_killed_process_of_the_worker_restarts_the_whole_worker(site: Site) -> None:
    """Alone it would be replaced, but it may have held the lock of the queue that all of them share."""
    before = child(site, "worker")
    wait_until(lambda: len(group(before)) > 4, "the worker's own processes")
    os.kill(group(before)[2], signal.SIGKILL)  # after the cluster and its sentinel
    wait_until(lambda: child(site, "worker") != before, "another worker")
    assert group(before) == []
    wait_until(lambda: len(group(child(site, "worker"))) > 4, "its own processes")
    assert "exit code -9" in site.err.read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="other kernels do not end children with their parent")
def test_a_killed_supervisor_leaves_no_process_behind(fresh_home: Path, tmp_path: Path) -> None:
    with start(tmp_path / "up", *UP) as site:
        site.wait_until_greeted()
        children = [child(site, "web server"), child(site, "worker")]
        wait_until(lambda: len(group(children[1])) > 3, "the worker's own processes")
        site.process.kill()
        site.process.wait()
        wait_until(lambda: not any(map(group, children)), "the end of the children")
        port = urlsplit(site.address).port
    with start(tmp_path / "next", "manage.py", "up", "--port", str(port), "--no-worker") as following:
        following.wait_until_greeted()


@pytest.mark.storm
def test_a_running_job_does_not_delay_the_exit(
    fresh_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.site.trial.settings")
    with start(tmp_path / "up", *UP) as site:
        site.wait_until_greeted()
        queued = manage("shell", "-v", "0", "-c", "from maintenance.schedules import run_soon; run_soon('nap')")
        assert queued.returncode == 0, queued.stderr
        wait_until((fresh_home / "napping").exists, "the job")
        worker = child(site, "worker")
        assert site.end(signal.SIGTERM) < 5
        assert site.process.returncode == 0
        assert group(worker) == []
        assert "The worker stopped (signal 9)." in site.err.read_text()


def test_a_web_server_that_cannot_start_ends_everything(
    fresh_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.site.trial.broken_settings")
    failed = manage("up", "--port", "0")
    assert failed.returncode == 1
    assert "tests.site.trial.missing" in failed.stderr
    assert failed.stderr.splitlines()[-1].startswith("CommandError: The web server ")
    assert failed.stdout == ""
    assert group(started(failed.stderr, "worker")[0]) == []


def test_a_worker_that_cannot_start_ends_everything(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGINT)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        worker = Child("The worker", "tests.site.trial.missing")
        supervisor = Supervisor([worker], {}, Probe(listener, "localhost"), on_ready=lambda: None)
        with pytest.raises(ChildGaveUp, match=r"The worker .* \(exit code 1\)"):
            supervisor.run()
    assert "No module named tests.site.trial.missing" in capfd.readouterr().err
    assert signal.getsignal(signal.SIGINT) is before


def test_the_first_restart_has_no_delay_and_further_ones_double_it_until_a_child_is_steady(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worker = Child("The worker", "tests.site.trial.missing")
    monkeypatch.setattr(children, "STEADY_SECONDS", float("inf"))
    assert [worker.schedule_restart() for _ in range(9)] == [0, 0.5, 1, 2, 4, 8, 16, 30, 30]
    monkeypatch.setattr(children, "STEADY_SECONDS", 0)
    assert worker.schedule_restart() == 0
    assert worker.successor().schedule_restart() == 0


@pytest.fixture
def home(tmp_path: Path, settings: Any) -> Path:
    settings.ORCHESTRATOR_HOME = tmp_path
    return tmp_path


START = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "input()", os.environ["WORD"]], stdin=0, start_new_session=True)
print(child.pid, flush=True)
if sys.argv[1] == "up": child.wait()
"""


@pytest.fixture
def launch() -> Iterator[Callable[..., psutil.Process]]:
    """Return what starts a process that leads a group, from a parent that waits if it is named `up`, or else exits."""
    with ExitStack() as stack:

        def begin(parent: str, word: str) -> psutil.Process:
            pipe, environment = subprocess.PIPE, os.environ | {"WORD": word}
            starter = subprocess.Popen([sys.executable, "-c", START, parent], stdin=pipe, stdout=pipe, env=environment)
            assert stack.enter_context(starter).stdout is not None
            process = psutil.Process(int(starter.stdout.readline()))
            stack.callback(lambda: process.is_running() and process.kill())
            if parent != "up":
                starter.wait(DEADLINE_SECONDS)
            return process

        yield begin


def test_an_orphan_of_a_killed_supervisor_is_ended(home: Path, launch: Callable[..., psutil.Process]) -> None:
    orphan = launch("gone", f"{OPTION}4711:{home}")
    assert end_orphans() == 1
    assert not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE
    assert end_orphans() == 0


@pytest.mark.parametrize(
    ("parent", "word"),
    [
        pytest.param("up", "{option}4711:{home}", id="its supervisor runs"),
        pytest.param("gone", "{option}4711:{home}/other", id="another data folder"),
        pytest.param("gone", "4711:{home}", id="no child of a supervisor"),
    ],
)
def test_other_processes_are_left_alone(
    home: Path, launch: Callable[..., psutil.Process], parent: str, word: str
) -> None:
    process = launch(parent, word.format(option=OPTION, home=home))
    assert end_orphans() == 0
    assert process.status() != psutil.STATUS_ZOMBIE
