"""What people and assistants see where the upgrade of the database failed, and that it ends by itself."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from orchestrator_site.kernel import read_only
from tests.assistants import Assistant, subtask
from tests.factories import html_of, signed_in
from tests.homes import make_home
from tests.mcp.stdio_client import connected
from tests.site.person import TOKEN, sign_in
from tests.site.processes import start
from tests.upgrades.versions import ADD, FAIL, Version, make_version, put_migration

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


def get(address: str, path: str) -> tuple[int, str]:
    with closing(HTTPConnection(urlsplit(address).netloc)) as http:
        http.request("GET", path)
        answer = http.getresponse()
        return answer.status, answer.read().decode()
