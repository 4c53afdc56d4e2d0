"""`manage.py attest --site`: the same by the REST API of a site, and as a process that is interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.error import HTTPError

import pytest

from orchestrator_site.attest.remote import RemoteBoard, _refused
from orchestrator_site.kernel.errors import Invalid, Transient
from tasks.choices import Rung, Status
from tasks.models import Evidence
from tests.agents.supervised import git
from tests.factories import make_project, make_task
from tests.gates.attesting import REPORT, WRITE_REPORT, Shop, python, shop_at
from tests.gates.given import complete
from tests.site.processes import ROOT, group, shared_database, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    with shop_at(tmp_path / "shop", monkeypatch) as made:
        yield made


def test_a_command_is_attested_at_a_site(shop: Shop, live_server: Any) -> None:
    shop.command(*python(WRITE_REPORT, "one"), report=REPORT)
    task, holder = shop.task({"command": "test"}, {"kind": "report", "rung": "observed"})
    assert shop.attest("test", "--site", live_server.url) == 0
    assert [row.rung for row in Evidence.objects.all()] == [Rung.OBSERVED] * 2
    (shop.folder / "README").write_text("Edited after the test\n")
    assert shop.attest("test", "--site", live_server.url, "--task", task.public_id) == 0
    assert complete(task, holder).status == Status.COMPLETED


def test_what_a_site_says_is_passed_on(shop: Shop, live_server: Any, capfd: pytest.CaptureFixture[str]) -> None:
    shop.command("false")
    task, _ = shop.task()
    assert shop.attest("test", "--site", live_server.url) == 1
    assert f"{task.public_id}: the gate test is not met" in capfd.readouterr().err
    for token in (shop.token("read", "write"), "mto_unknown"):
        assert shop.attest("test", "--site", live_server.url, token=token) == 1
    assert shop.attest("test", "--site", live_server.url, "--task", "nothing") == 1
    assert Evidence.objects.count() == 1


def test_of_several_projects_a_task_or_a_token_names_one(shop: Shop, live_server: Any) -> None:
    shop.command("true")
    task, _ = shop.task()
    make_task(make_project())
    assert shop.attest("test", "--site", live_server.url) == 1
    assert shop.attest("test", "--site", live_server.url, "--task", task.public_id) == 0
    assert shop.attest("test", "--site", live_server.url, token=shop.token("attest", project=shop.project)) == 0


def test_for_a_site_the_folder_may_be_named_that_the_command_runs_in(
    shop: Shop, live_server: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (shop.folder / "app").mkdir()
    (shop.folder / "app/till.py").write_text("till\n")
    git(shop.folder, "add", ".")
    git(shop.folder, "commit", "-q", "-m", "App")
    git(shop.folder, "worktree", "add", "-q", str(tmp_path / "beside"))
    shop.command("pwd")
    shop.task()
    for folder in (shop.folder / "app", tmp_path / "beside/app"):
        assert shop.attest("test", "--site", live_server.url, "--project", str(folder)) == 0
        assert capfd.readouterr().out == f"{folder}\n"


def test_every_task_at_work_is_looked_at(shop: Shop, live_server: Any) -> None:
    shop.command("true")
    shop.task()
    for _ in range(3):
        make_task(shop.project, status=Status.ACTIVE, lease_holder="ada")
    shop.monkeypatch.setattr("orchestrator_site.attest.remote._TASKS_LIMIT", 2)
    assert shop.attest("test", "--site", live_server.url) == 0


def test_a_site_lists_commands_and_gates(shop: Shop, live_server: Any, capfd: pytest.CaptureFixture[str]) -> None:
    shop.command("make", "test")
    task, _ = shop.task()
    assert shop.attest("--list", "--site", live_server.url) == 0
    assert [line.split()[0] for line in capfd.readouterr().out.splitlines()] == ["test", task.public_id]


def test_a_run_outlives_a_site_that_went_away(shop: Shop, live_server: Any, capfd: pytest.CaptureFixture[str]) -> None:
    shop.command("true")
    task, holder = shop.task()

    def gone(*_: object) -> None:
        raise Transient("The site cannot be reached.")

    with shop.monkeypatch.context() as patch:
        patch.setattr(RemoteBoard, "give", gone)
        assert shop.attest("test", "--site", live_server.url) == 1
    words = capfd.readouterr().err.split("manage.py attest ")[1].split()
    assert shop.attest(*words) == 0
    assert complete(task, holder).status == Status.COMPLETED


@pytest.mark.parametrize("status", [429, 502])
def test_a_run_outlives_a_site_that_takes_nothing_more_for_now(
    shop: Shop, live_server: Any, capfd: pytest.CaptureFixture[str], status: int
) -> None:
    shop.command("true")
    shop.task()

    def busy(*_: object) -> None:
        raise _refused(HTTPError("", status, "", Message(), BytesIO()))

    with shop.monkeypatch.context() as patch:
        patch.setattr(RemoteBoard, "give", busy)
        assert shop.attest("test", "--site", live_server.url) == 1
    assert shop.attest(*capfd.readouterr().err.split("manage.py attest ")[1].split()) == 0


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/", "orchestrator", ""])
def test_only_the_address_of_a_site_is_one(url: str) -> None:
    with pytest.raises(Invalid):
        RemoteBoard(url, "mto_secret", None)


@pytest.mark.parametrize("host", ["board.example", "192.0.2.7:8000", "localhost@board.example", "localhost.example"])
def test_only_this_machine_is_asked_without_tls(host: str) -> None:
    with pytest.raises(Invalid):
        RemoteBoard(f"http://{host}", "mto_secret", None)
    assert RemoteBoard(f"https://{host}", "mto_secret", None)


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:8000"])
def test_this_machine_is_asked_without_tls_too(host: str) -> None:
    assert RemoteBoard(f"http://{host}", "mto_secret", None)


class Elsewhere(BaseHTTPRequestHandler):
    """A server that leads elsewhere, and writes down who came."""

    seen: list[tuple[str, str]] = []

    def do_GET(self) -> None:
        self.seen.append((self.path, self.headers["Authorization"]))
        self.send_response(302)
        self.send_header("Location", f"http://localhost:{self.server.server_port}/elsewhere")  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_a_token_goes_to_no_other_place() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        with pytest.raises(Exception, match="302"):
            RemoteBoard(f"http://127.0.0.1:{server.server_port}", "mto_secret", "task").commands()
    finally:
        server.shutdown()
        server.server_close()
    assert [path for path, _ in Elsewhere.seen] == ["/api/v1/tasks/task"]


# As a process


def start(shop: Shop, *words: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), "attest", *words],
        cwd=shop.folder,
        env={**os.environ, **shared_database(), "ORCHESTRATOR_ATTEST_TOKEN": shop.usual, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_a_signal_ends_the_command_too_and_reports_nothing(shop: Shop, number: signal.Signals, code: int) -> None:
    pid = shop.folder.parent / "pid"
    shop.command("sh", "-c", f"echo $$ > {pid}.new; mv {pid}.new {pid}; sleep 1000")
    shop.task()
    process = start(shop, "test")
    wait_until(pid.exists, "the command")
    process.send_signal(number)
    said = process.communicate(timeout=60)
    assert process.returncode == code, said
    assert group(int(pid.read_text())) == []
    assert not Evidence.objects.exists()


@pytest.mark.parametrize("locale", ["C", "POSIX", "tr_TR.ISO-8859-9"])
def test_any_locale_will_do(shop: Shop, locale: str) -> None:
    shop.command("sh", "-c", "printf 'größer 🧭'; touch 'build 日本'; exit 0")
    shop.task()
    process = start(shop, "test", LC_ALL=locale, PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    said = process.communicate(timeout=60)
    assert process.returncode == 1, said
    row = Evidence.objects.first()
    assert row, said
    assert row.output == "größer 🧭"
    assert "build 日本" in row.summary


def test_two_at_once_are_both_kept(shop: Shop) -> None:
    shop.command("true")
    task, holder = shop.task()
    both = [start(shop, "test"), start(shop, "test")]
    for each in both:
        each.communicate(timeout=60)
    assert [each.returncode for each in both] == [0, 0]
    assert Evidence.objects.filter(task=task, passed=True).count() == 2
    assert complete(task, holder).status == Status.COMPLETED


def test_who_reads_the_output_may_hang_up(shop: Shop) -> None:
    shop.command(*python("for _ in range(100_000): print('x' * 100)"))
    shop.task()
    process = start(shop, "test")
    assert process.stdout
    process.stdout.read(1)
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    assert Evidence.objects.get().passed
    process.communicate()
