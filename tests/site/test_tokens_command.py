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


def test_the_secret_stands_alone_on_stdout_and_nowhere_afterwards(home: Path) -> None:
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


def test_a_list_names_what_each_token_may_and_whether_it_still_opens() -> None:
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


def test_a_token_is_revoked_by_its_id_once() -> None:
    manage("token", "create", "old")
    token_id = str(next(facts for facts in listed() if facts["name"] == "old")["id"])
    assert "is revoked." in manage("token", "revoke", token_id).stderr
    again = manage("token", "revoke", token_id)
    assert (again.returncode, "was revoked before." in again.stderr) == (0, True)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("create", "x", "--scopes", "read,rule"), "scopes: 'rule' is none. Send one or more of: read, write,"),
        (("create", "x", "--expires", "soon"), "expires: 'soon' is no time. Say how long, such as 12h, 30d"),
        (("create", "x", "--expires", "2020-01-01"), "expires_at: this time has passed already."),
        (("create", "x", "--project", "nowhere"), "project: 'nowhere' is neither the slug of a project nor a folder."),
        (("create", "x", "--user", "nobody"), "No active user is named nobody."),
        (("create", "  "), "name: a name of 1 to 100 printable characters is wanted."),
        (("revoke", "nothing"), "There is no access token 'nothing'. List them: manage.py token list"),
    ],
)
def test_a_mistake_is_told_with_what_to_do_and_without_a_traceback(words: tuple[str, ...], told: str) -> None:
    refused = manage("token", *words)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert complaints(refused.stderr)[0].startswith(f"CommandError: {told}")


def test_a_list_of_nothing_says_how_to_make_one(home: Path) -> None:
    with sqlite3.connect(home / "orchestrator.sqlite3") as database:
        database.execute("delete from orchestrator_site_accesstoken")
    printed = manage("token", "list")
    assert (printed.returncode, printed.stdout) == (0, "")
    assert "manage.py token create NAME" in printed.stderr
    assert manage("token", "list", "--json").stdout == "[]\n"
