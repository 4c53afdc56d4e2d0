"""What people and assistants see where the upgrade of the database failed, and that it ends by itself."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from orchestrator_site.accounts.links import make_link
from orchestrator_site.kernel import read_only
from orchestrator_site.tokens.service import PREFIX
from tasks.models import Project
from tests.assistants import Assistant, completion, subtask
from tests.factories import html_of, make_user, signed_in
from tests.homes import make_home
from tests.mcp.http_client import HttpClient
from tests.mcp.stdio_client import StdioClient, connected, wait_for
from tests.site.person import TOKEN, sign_in
from tests.site.processes import Site, start
from tests.upgrades.versions import ADD, FAIL, NEXT, REMOVE, Version, make_version, put_migration

JOB: dict[str, Any] = {"description": "A job", "subtasks": [subtask("First")]}


@pytest.fixture
def notice(tmp_path: Path) -> Iterator[Path]:
    """Let this process refuse changes, as after a failed upgrade."""
    file = tmp_path / "notice"
    file.touch()
    yield file
    read_only.stop()
    connection.close()


@pytest.mark.django_db(transaction=True)
def test_pages_and_the_admin_show_it_and_a_form_is_refused(client: Client, notice: Path) -> None:
    signed_in(client, is_staff=True, is_superuser=True)
    assert 'id="read-only"' not in html_of(client.get("/"))
    read_only.start(notice)
    assert all('id="read-only"' in html_of(client.get(page)) for page in ("/", reverse("admin:index")))
    refused = client.post(reverse("tokens"), {"name": "laptop", "scopes": ["read"], "expires": "never"})
    assert (refused.status_code, refused["Retry-After"]) == (503, "60")


@pytest.mark.django_db(transaction=True)
def test_readyz_says_so(client: Client, notice: Path) -> None:
    read_only.start(notice)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["migrations"]["ok"]) == (503, False)


@pytest.mark.django_db(transaction=True)
def test_an_assistant_reads_on_and_is_refused_with_the_next_step(ada: Assistant, notice: Path) -> None:
    task = ada.plan("A")["A"]
    read_only.start(notice)
    assert ada.call("get_status", task_id=task)["status"] == "pending"
    refused = ada.refused("execute_subtask", task_id=task)
    assert (refused["code"], refused["details"]["retry_after_ms"]) == ("transient", 60_000)
    assert "manage.py doctor" in refused["next"]


@pytest.mark.django_db(transaction=True)
def test_changes_are_possible_again_as_soon_as_the_notice_is_gone(ada: Assistant, notice: Path) -> None:
    task = ada.plan("A")["A"]
    read_only.start(notice)
    ada.refused("execute_subtask", task_id=task)
    notice.unlink()
    assert ada.call("execute_subtask", task_id=task)["task_id"] == task


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_new", [False, True])
def test_a_project_that_later_calls_would_not_be_on_is_not_opened(
    ada: Assistant, notice: Path, tmp_path: Path, is_new: bool
) -> None:
    other = tmp_path / "other"
    (other / ".git").mkdir(parents=True)
    (other / ".git/HEAD").touch()
    ada.call("initialize_session", project_dir=str(other))
    ada.call("initialize_session", project_dir=str(ada.folder))
    ada.plan("A")
    read_only.start(notice)
    reader = Assistant(ada.folder) if is_new else ada
    for own in (False, True):
        assert reader.refused("initialize_session", project_dir=str(other), new_session=own)["code"] == "transient"
    assert reader.call("initialize_session", project_dir=str(ada.folder))["counts"] == {"pending": 1}
    assert reader.call("get_status")["counts"] == {"pending": 1}


# Signing in


@pytest.mark.django_db(transaction=True)
def test_signing_in_by_password_is_refused_with_the_reason(client: Client, notice: Path) -> None:
    make_user("ada")
    read_only.start(notice)
    page = html_of(client.get(reverse("sign-in")))
    assert 'id="no-sign-in"' in page and "<form" not in page.partition("<main")[2]
    refused = client.post(reverse("sign-in"), {"username": "ada", "password": "correct horse"})
    assert (refused.status_code, refused["Retry-After"]) == (503, "60")
    assert "read-only" in refused.content.decode()


@pytest.mark.django_db(transaction=True)
def test_a_link_is_refused_with_the_reason_and_not_used_up(client: Client, notice: Path) -> None:
    link = make_link(make_user("ada"))
    read_only.start(notice)
    assert 'id="no-sign-in"' in html_of(client.get(link))
    assert client.post(link).status_code == 503
    notice.unlink()
    assert client.post(link).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_who_is_signed_in_reads_every_kind_of_page(client: Client, notice: Path, ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    artifact = ada.complete(task)["artifact_info"]["artifact_id"]
    signed_in(client, is_staff=True, is_superuser=True)
    project = Project.objects.get().slug
    read_only.start(notice)
    named = {"projects": [], "board": [project], "task": [task], "artifact": [artifact], "maintenance": [project]}
    for name, arguments in named.items():
        assert 'id="read-only"' in html_of(client.get(reverse(name, args=arguments))), name


# New connections


@pytest.fixture
def version(tmp_path: Path) -> Version:
    return make_version(tmp_path / "code", make_home(tmp_path / "home"))


def test_a_server_whose_upgrade_fails_goes_on_over_stdio_and_the_fixed_one_writes(
    version: Version, folder: Path
) -> None:
    options: dict[str, Any] = {"trial": False, "code": version.code, "ORCHESTRATOR_PROJECT_DIR": str(folder)}
    put_migration(version.code, FAIL)
    with connected(version.home, **options) as client:
        assert client.call("orchestrator_plan_task", **JOB)["code"] == "transient"
        put_migration(version.code, ADD)
        with connected(version.home, **options) as fixed:
            assert fixed.call("orchestrator_plan_task", **JOB)["subtasks"]
        assert client.call("orchestrator_plan_task", **JOB)["subtasks"]  # its file is gone, so it may write


class Behind:
    """A version whose upgrade has failed, on a board with a delivery."""

    def __init__(self, version: Version, folder: Path) -> None:
        self.version = version
        self.options: dict[str, Any] = {
            "trial": False,
            "code": version.code,
            "toolsets": "all",
            "ORCHESTRATOR_PROJECT_DIR": str(folder),
        }
        with connected(version.home, **self.options) as client:
            plan = client.call("orchestrator_plan_task", description="A job", subtasks=[subtask("A"), subtask("B")])
            self.done, self.ready = (each["task_id"] for each in plan["subtasks"])
            client.call("orchestrator_execute_subtask", task_id=self.done)
            delivered = client.call("orchestrator_complete_subtask", **completion(self.done))
            self.artifact = delivered["artifact_info"]["artifact_id"]
            project = client.call("orchestrator_initialize_session")["project"]["slug"]
        self.bound = self._token("bound", "--project", project)
        self.unbound = self._token("unbound")
        put_migration(version.code, FAIL)

    @contextmanager
    def site(self, folder: Path, **environ: str) -> Iterator[Site]:
        words = (str(self.version.code / "manage.py"), "up", "--port", "0", "--no-worker")
        with start(folder, *words, environ=self.version.environment | environ) as site:
            site.wait_until_greeted()
            yield site

    def _token(self, *words: str) -> str:
        made = self.version.manage("token", "create", *words)
        return next(word for word in made.stdout.split() if word.startswith(PREFIX))


@pytest.fixture
def behind(version: Version, folder: Path) -> Behind:
    return Behind(version, folder)


def reads_and_is_refused(client: StdioClient | HttpClient, board: Behind) -> None:
    welcome = client.call("orchestrator_initialize_session", idempotency_key="k")
    assert "session_id" not in welcome
    assert "session_id" not in client.call("orchestrator_initialize_session", new_session=True)
    assert welcome["counts"] == {"pending": 1, "completed": 1}
    assert "manage.py doctor" in welcome["next"]
    assert client.call("orchestrator_get_status")["counts"] == welcome["counts"]
    assert client.call("orchestrator_get_status", task_id=board.done)["status"] == "completed"
    assert client.call("orchestrator_read_artifact", artifact_id=board.artifact)["text"] == "The work"
    assert client.call("orchestrator_search", query="work")["hits"][0]["task_id"] == board.done
    assert client.call("orchestrator_list_artifacts")["total"] == 1
    assert client.call("orchestrator_shutdown_prepare")["leases_total"] == 0
    health = client.call("orchestrator_health_check")
    assert health["status"] == "degraded"
    assert f"maintenance.{NEXT}" in health["problems"]["migrations"]
    for name, arguments in (
        ("plan_task", JOB),
        ("execute_subtask", {"task_id": board.ready}),
        ("complete_subtask", completion(board.ready)),
        ("update_task", {"task_id": board.ready, "title": "Other"}),
        ("store_artifact", {"action": "begin", "task_id": board.ready}),
    ):
        refused = client.call(f"orchestrator_{name}", **arguments)
        assert (refused["code"], refused["details"]["retry_after_ms"]) == ("transient", 60_000), name
        assert "manage.py doctor" in refused["next"]


def test_an_assistant_that_connects_then_is_served_for_reading(behind: Behind) -> None:
    with connected(behind.version.home, **behind.options) as client:
        reads_and_is_refused(client, behind)
        assert client.end() == 0


def test_so_is_one_that_attaches_until_a_good_version_is_taken_over(behind: Behind, tmp_path: Path) -> None:
    with behind.site(tmp_path / "up"), connected(behind.version.home, **behind.options) as client:
        assert not client.has_worker()
        reads_and_is_refused(client, behind)
        assert client.call("orchestrator_reconnect_test")["code"] == "transient"
        put_migration(behind.version.code, ADD)
        assert client.call("orchestrator_restart_server")["restarted"] is True
        wait_for(lambda: "session_id" in client.call("orchestrator_initialize_session"), "the change")
        assert client.call("orchestrator_execute_subtask")["task_id"] == behind.ready
        assert client.end() == 0


def test_so_is_one_over_http(behind: Behind, tmp_path: Path) -> None:
    with behind.site(tmp_path / "up", ORCHESTRATOR_TOOLSETS="all") as site:
        port = int(urlsplit(site.address).port or 0)
        for modern in (True, False):
            with closing(HttpClient(port, behind.bound, modern=modern)) as client:
                if not modern:
                    client.handshake()
                reads_and_is_refused(client, behind)
        with closing(HttpClient(port, behind.unbound)) as client:
            assert client.call("orchestrator_get_status")["code"] == "transient"


def test_a_site_whose_upgrade_fails_starts_and_says_so(
    version: Version, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_HOME", str(version.home))
    put_migration(version.code, FAIL)
    with start(tmp_path / "up", str(version.code / "manage.py"), "up", "--port", "0") as site:
        site.wait_until_greeted()
        checks = json.loads(get(site.address, "/readyz")[1])["checks"]
        assert (get(site.address, "/healthz")[0], checks["migrations"]["ok"], "worker" in checks) == (200, False, False)
        found = json.loads(version.manage("doctor", "--json").stdout)["findings"]
        problems = [each["what"] for each in found if each["area"] == "migrations" and each["level"] == "problem"]
        assert len(problems) == 1 and "ZeroDivisionError" in problems[0]


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="the system has no signal for it")
def test_the_button_brings_a_fixed_version_while_the_database_is_read_only(
    version: Version, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_HOME", str(version.home))
    with start(tmp_path / "up", str(version.code / "manage.py"), "up", "--port", "0", "--no-worker") as site:
        site.wait_until_greeted()
        person = sign_in(site.link)
        person.open("/sample/", {"csrfmiddlewaretoken": TOKEN.findall(person.page)[0]})
        for operation, is_read_only in ((FAIL, True), (ADD, False)):
            put_migration(version.code, operation)
            person.open("/projects/sample/maintenance/")
            person.send("/restart/", reason="")
            assert ('id="read-only"' in person.page) == is_read_only
            assert "note success" in person.page
    assert "place" in version.columns()
    assert version.rows("SELECT reason, state FROM orchestrator_site_restart") == [("", "done"), ("signal", "done")]


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="the system has no signal for it")
def test_a_restart_on_code_whose_upgrade_waits_for_a_person_says_why(
    version: Version, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_HOME", str(version.home))
    with start(tmp_path / "up", str(version.code / "manage.py"), "up", "--port", "0", "--no-worker") as site:
        site.wait_until_greeted()
        put_migration(version.code, REMOVE)
        refused = version.manage("restart")
        assert refused.returncode == 1 and "manage.py upgrade --apply" in refused.stderr
        assert get(site.address, "/healthz")[0] == 200
        assert "Traceback" not in site.err.read_text()


def get(address: str, path: str) -> tuple[int, str]:
    with closing(HTTPConnection(urlsplit(address).netloc)) as http:
        http.request("GET", path)
        answer = http.getresponse()
        return answer.status, answer.read().decode()
