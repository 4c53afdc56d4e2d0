"""`manage.py up` with its children: they come back when they die, and none of them outlives it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from orchestrator_site.up import child as children
from orchestrator_site.up import processes
from orchestrator_site.up.child import Child
from orchestrator_site.up.leftovers import Known, Record, end_leftovers
from orchestrator_site.up.processes import identity
from orchestrator_site.up.supervisor import FIRST_SECONDS, Answer, ChildGaveUp, Supervisor
from tests.homes import make_home
from tests.site.processes import DEADLINE_SECONDS, Site, manage, start, wait_until

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


def child(site: Site, name: str) -> int:
    """Return the process that was started last under a name."""
    lines = [line for line in site.err.read_text().splitlines() if f"The {name} started" in line]
    return int(lines[-1].rpartition("process ")[2].rstrip(")."))


def group(leader: int) -> list[int]:
    """Return the processes of a group that live."""
    listed = subprocess.run(["ps", "-eo", "pid=,pgid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()]
    return [int(pid) for pid, pgid, state in rows if int(pgid) == leader and not state.startswith("Z")]


def test_a_site_with_its_worker_is_ready_within_moments_of_its_start(site: Site) -> None:
    facts = readiness(site)
    assert facts["status"] == "ready"
    assert facts["checks"]["worker"]["expected"] is True


def test_a_web_server_that_is_killed_comes_back_and_nobody_is_refused_meanwhile(site: Site) -> None:
    before = child(site, "web server")
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: identity(before) is None, "its end")
    assert urlopen(f"{site.address}/healthz", timeout=DEADLINE_SECONDS).status == 200
    assert child(site, "web server") != before
    assert "The web server died (signal 9); it is started again in 0.5 s." in site.err.read_text()


def test_a_worker_that_is_killed_comes_back_and_leaves_no_orphan(site: Site) -> None:
    before = child(site, "worker")
    wait_until(lambda: len(group(before)) > 3, "the worker's own processes")
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: child(site, "worker") != before, "another worker")
    assert group(before) == []
    wait_until(lambda: len(group(child(site, "worker"))) > 3, "its own processes")
    assert "The worker died (signal 9); it is started again" in site.err.read_text()


def test_a_process_of_the_worker_that_is_killed_takes_the_others_along_and_all_come_back(site: Site) -> None:
    """Alone it would be replaced, but it may have held the lock of the queue that all of them share."""
    before = child(site, "worker")
    wait_until(lambda: len(group(before)) > 4, "the worker's own processes")
    os.kill(group(before)[2], signal.SIGKILL)  # after the cluster and its sentinel
    wait_until(lambda: child(site, "worker") != before, "another worker")
    assert group(before) == []
    wait_until(lambda: len(group(child(site, "worker"))) > 4, "its own processes")
    assert "A process of the worker died (exit code -9); all of them begin anew." in site.err.read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="other kernels do not end children with their parent")
def test_a_supervisor_that_is_killed_leaves_nothing_behind_at_once(fresh_home: Path, tmp_path: Path) -> None:
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
        assert len(list((fresh_home / "up").iterdir())) == 1
        following.end()
    assert list((fresh_home / "up").iterdir()) == []


@pytest.mark.storm
def test_a_job_that_runs_does_not_hold_up_the_end(
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


def test_a_web_server_that_cannot_start_ends_all_with_the_reason(
    fresh_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.site.trial.broken_settings")
    refused = manage("up", "--port", "0")
    assert refused.returncode == 1
    assert "tests.site.trial.missing" in refused.stderr
    assert "CommandError: The web server ended" in refused.stderr.splitlines()[-1]
    assert refused.stdout == ""
    assert group(int(refused.stderr.partition("The worker started (process ")[2].partition(")")[0])) == []


def test_a_worker_that_cannot_start_ends_all_with_the_reason(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGINT)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        answer = Answer(listener, "localhost", on_answer=lambda: None)
        worker = Child("The worker", "tests.site.trial.missing")
        with pytest.raises(ChildGaveUp, match=r"The worker ended \d\.\d s after its start \(exit code 1\)"):
            Supervisor([worker], {}, answer).run()
    assert "No module named tests.site.trial.missing" in capfd.readouterr().err
    assert signal.getsignal(signal.SIGINT) is before


def test_delays_double_up_to_half_a_minute_and_begin_anew_after_a_steady_run(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Child("The worker", "tests.site.trial.missing")
    monkeypatch.setattr(children, "STEADY_SECONDS", float("inf"))
    assert [worker.next_delay() for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    monkeypatch.setattr(children, "STEADY_SECONDS", 0)
    assert worker.next_delay() == 0.5


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that leads a group, as the children do."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True) as process:
        yield process
        process.kill()


@pytest.fixture
def home(tmp_path: Path, settings: Any) -> Path:
    settings.ORCHESTRATOR_HOME = tmp_path
    return tmp_path / "up"


def written(home: Path, supervisor: Known, *children: Known) -> Path:
    """Write a record as a supervisor does."""
    home.mkdir()
    file = home / f"{supervisor.pid}.json"
    facts = {"pid": supervisor.pid, "identity": supervisor.identity}
    listed = [{"pid": each.pid, "identity": each.identity} for each in children]
    file.write_text(json.dumps({"supervisor": facts, "children": listed}))
    return file


def known(pid: int) -> Known:
    found = Known.of(pid)
    assert found is not None
    return found


def test_what_a_killed_supervisor_left_is_ended_by_the_next_start(home: Path, sleeper: subprocess.Popen[bytes]) -> None:
    file = written(home, Known(os.getpid(), "of another boot"), known(sleeper.pid))
    assert end_leftovers() == 1
    assert sleeper.wait(timeout=5) == -signal.SIGKILL
    assert not file.exists()


def test_a_process_that_only_has_the_number_of_a_child_is_left_alone(
    home: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    file = written(home, Known(os.getpid(), "of another boot"), Known(sleeper.pid, "of another time"))
    assert end_leftovers() == 0
    assert sleeper.poll() is None
    assert not file.exists()


def test_the_children_of_a_supervisor_that_runs_are_left_alone(home: Path, sleeper: subprocess.Popen[bytes]) -> None:
    Record().write([sleeper.pid])
    assert end_leftovers() == 0
    assert sleeper.poll() is None
    assert len(list(home.iterdir())) == 1


def test_a_file_that_is_no_record_is_left_alone(home: Path) -> None:
    home.mkdir()
    (home / "1.json").write_text("[]")
    assert end_leftovers() == 0
    assert (home / "1.json").exists()


@pytest.mark.parametrize("tell", [identity, processes._identity_elsewhere])
def test_a_process_is_known_as_long_as_it_lives_and_not_longer(tell: Callable[[int], str | None]) -> None:
    first = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert tell(first.pid) == tell(first.pid) is not None
    first.kill()
    wait_until(lambda: tell(first.pid) is None, "the end")  # nobody has collected it yet
    first.communicate()
    assert tell(first.pid) is None
