"""`manage.py token` as a person and as a script use it."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path

import pytest

from tests.homes import make_home
from tests.site.processes import complaints, manage


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that the tests of this file share."""
    return make_home(tmp_path_factory.mktemp("tokens") / "home")


@pytest.fixture(autouse=True)
def use_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_HOME", str(home))
    monkeypatch.delenv("DATABASE_URL", raising=False)


def listed() -> list[dict[str, object]]:
    printed = manage("token", "list", "--json")
    assert printed.returncode == 0, printed.stderr
    return list(json.loads(printed.stdout))


def test_only_the_secret_is_printed_on_stdout_and_it_is_stored_nowhere(home: Path) -> None:
    printed = manage("token", "create", "laptop", "--expires", "30d")
    assert printed.returncode == 0, printed.stderr
    assert re.fullmatch(r"mto_[\w-]{43}\n", printed.stdout)
    secret = printed.stdout.strip()
    said = complaints(printed.stderr)
    assert re.fullmatch(r"token_\w{8} \(\S+/laptop\) may read, write in every project, until \S+ \S+ UTC\.", said[0])
    assert secret not in printed.stderr
    assert secret not in manage("token", "list").stdout + manage("token", "list", "--json").stdout
    for file in home.rglob("*"):
        assert not file.is_file() or secret.encode() not in file.read_bytes(), file


def test_the_list_shows_scopes_and_state() -> None:
    assert manage("token", "create", "reviews", "--scopes", "review").returncode == 0
    assert manage("token", "revoke", "reviews").returncode == 0
    found = next(facts for facts in listed() if facts["name"] == "reviews")
    assert (found["scopes"], found["project"], found["state"]) == (["read", "review"], None, "revoked")
    assert set(found) == {
        "id", "name", "owner", "scopes", "project", "state", "created_at", "last_used_at", "expires_at", "revoked_at",
    }  # fmt: skip
    table = manage("token", "list").stdout.splitlines()
    assert table[0].split("  ")[0] == "ID"
    assert any("/reviews" in line and line.endswith("revoked") for line in table)


def test_a_token_for_a_folder_is_bound_to_its_project(folder: Path) -> None:
    printed = manage("token", "create", "bound", "--project", str(folder), "--scopes", "read")
    assert "may read in the project shop, until it is revoked." in printed.stderr
    assert next(facts for facts in listed() if facts["name"] == "bound")["project"] == "shop"


def test_a_token_is_revoked_by_its_id() -> None:
    manage("token", "create", "old")
    token_id = str(next(facts for facts in listed() if facts["name"] == "old")["id"])
    for words in ("is revoked", "already revoked"):
        revoked = manage("token", "revoke", token_id)
        assert revoked.returncode == 0
        assert token_id in revoked.stderr and words in revoked.stderr


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("create", "x", "--scopes", "read,rule"), "'rule'"),
        (("create", "x", "--expires", "soon"), "'soon'"),
        (("create", "x", "--expires", "2020-01-01"), "expires_at"),
        (("create", "x", "--project", "nowhere"), "'nowhere'"),
        (("create", "x", "--user", "nobody"), "nobody"),
        (("create", "  "), "name"),
        (("revoke", "nothing"), "'nothing'"),
    ],
)
def test_an_error_names_the_value_without_a_traceback(words: tuple[str, ...], named: str) -> None:
    failed = manage("token", *words)
    assert (failed.returncode, failed.stdout) == (1, "")
    (error,) = complaints(failed.stderr)
    assert error.startswith("CommandError: ")
    assert named in error


def test_an_empty_list_explains_how_to_make_a_token(home: Path) -> None:
    with sqlite3.connect(home / "orchestrator.sqlite3") as database:
        database.execute("delete from orchestrator_site_accesstoken")
    printed = manage("token", "list")
    assert (printed.returncode, printed.stdout) == (0, "")
    assert "manage.py token create NAME" in printed.stderr
    assert manage("token", "list", "--json").stdout == "[]\n"
