"""The cookies of a site are its own, and the session of a person is good where it began."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from tests.site.processes import ROOT

PHRASE = "a long enough phrase"
NAMES = (
    "import json; from orchestrator_site.settings import CSRF_COOKIE_NAME, SESSION_COOKIE_NAME; "
    "print(json.dumps([SESSION_COOKIE_NAME, CSRF_COOKIE_NAME]))"
)


def names(home: Path, monkeypatch: pytest.MonkeyPatch, **environ: str) -> list[str]:
    with monkeypatch.context() as patch:
        for name, value in {"ORCHESTRATOR_HOME": str(home), **environ}.items():
            patch.setenv(name, value)
        done = subprocess.run([sys.executable, "-c", NAMES], cwd=ROOT, capture_output=True, text=True, check=True)
    found: list[str] = json.loads(done.stdout)
    return found


def test_each_site_has_names_of_its_own_and_a_prefix_behind_tls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = names(tmp_path / "a", monkeypatch), names(tmp_path / "b", monkeypatch)
    secure = names(tmp_path / "a", monkeypatch, ORCHESTRATOR_TLS="true")
    assert len({*first, *second, *secure}) == 6
    assert all(name.startswith("__Host-") for name in secure)
    assert names(tmp_path / "a", monkeypatch) == first


@pytest.fixture
def ada(db: None) -> Client:
    User.objects.create_superuser("ada", password=PHRASE)
    client = Client(HTTP_HOST="127.0.0.1:8000", SERVER_PORT="8000")
    assert client.post("/sign-in/", {"username": "ada", "password": PHRASE}).status_code == 302
    return client


def test_a_session_is_good_where_it_began(ada: Client) -> None:
    assert ada.get("/tokens/").status_code == 200
    assert ada.get("/api/v1/projects").status_code == 200


@pytest.mark.parametrize("host", ["127.0.0.1:8001", "127.0.0.1", "localhost:8000"])
def test_it_is_none_at_another_port_or_name_and_goes_on_where_it_began(ada: Client, host: str) -> None:
    assert ada.get("/tokens/", HTTP_HOST=host).status_code == 302
    assert ada.get("/api/v1/projects", HTTP_HOST=host).status_code == 401
    assert ada.get("/tokens/").status_code == 200


def test_it_is_none_over_another_scheme(ada: Client) -> None:
    assert ada.get("/tokens/", secure=True).status_code == 302


def test_the_page_of_the_api_names_the_cookie_of_this_site(client: Client) -> None:
    assert f'data-csrf-cookie="{settings.CSRF_COOKIE_NAME}"' in client.get("/api/docs/").content.decode()
