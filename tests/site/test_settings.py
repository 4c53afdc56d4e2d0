"""docs/settings.md says what orchestrator_site/settings.py reads."""

from __future__ import annotations

import ast
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator_site.settings import _database, _without_path
from tests.homes import make_home
from tests.site.processes import ROOT, manage


def documented() -> list[str]:
    return re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "docs" / "settings.md").read_text(), re.MULTILINE)


def read_by_the_code() -> set[str]:
    tree = ast.parse((ROOT / "orchestrator_site" / "settings.py").read_text())
    return {
        str(call.args[0].value)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "env"
        and isinstance(call.args[0], ast.Constant)
    }


def test_every_variable_is_documented_once_and_nothing_else() -> None:
    assert sorted(documented()) == sorted(read_by_the_code())


def test_settings_read_the_environment_in_one_way_only() -> None:
    """Another way would escape the comparison above."""
    source = (ROOT / "orchestrator_site" / "settings.py").read_text()
    assert "os.environ" not in source
    assert "getenv" not in source


def test_a_database_that_is_not_supported_is_refused_by_name(empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://ada@db.example/orchestrator")
    refused = manage("check")
    assert refused.returncode == 1
    assert "DATABASE_URL must begin with sqlite:// or postgres://." in refused.stderr


@pytest.mark.parametrize(
    ("variable", "value", "reported"),
    [
        ("ORCHESTRATOR_WORKERS", "many", "ORCHESTRATOR_WORKERS cannot be read: "),
        ("ORCHESTRATOR_TLS", "ture", "ORCHESTRATOR_TLS must be true or false."),
        ("ORCHESTRATOR_LOG_LEVEL", "LOUD", "ORCHESTRATOR_LOG_LEVEL must be one of: DEBUG, INFO, WARNING, ERROR,"),
        ("ORCHESTRATOR_SYNCHRONOUS", "off", "ORCHESTRATOR_SYNCHRONOUS must be full or normal."),
        ("ORCHESTRATOR_HOME", "data", "ORCHESTRATOR_HOME must be an absolute path: data "),
        ("DATABASE_URL", "sqlite:///data/a.sqlite3", "DATABASE_URL must have an absolute path: "),
        ("ORCHESTRATOR_HOME", "/dev/null/home", "ORCHESTRATOR_HOME cannot be used: /dev/null/home: Not a directory."),
        (
            "ORCHESTRATOR_CONTENT_URL",
            "https://works",
            "ORCHESTRATOR_CONTENT_URL must be s3://bucket or s3://bucket/prefix.",
        ),
        ("ORCHESTRATOR_QUEUE_URL", "amqp://q", "ORCHESTRATOR_QUEUE_URL must begin with redis:// or rediss://."),
        ("ORCHESTRATOR_CONTENT_URL", "s3://", "ORCHESTRATOR_CONTENT_URL must be s3://bucket or s3://bucket/prefix."),
        (
            "ORCHESTRATOR_CONTENT_URL",
            "s3://b/a b",
            "ORCHESTRATOR_CONTENT_URL must be s3://bucket or s3://bucket/prefix.",
        ),
        (
            "ORCHESTRATOR_TRUSTED_ORIGINS",
            "https://a.example,https://b.example/board/",
            "ORCHESTRATOR_TRUSTED_ORIGINS: https://b.example/board/ has a path, ",
        ),
        (
            "ORCHESTRATOR_ALLOWED_HOSTS",
            "localhost,b.example/board",
            "ORCHESTRATOR_ALLOWED_HOSTS: b.example/board has a path, ",
        ),
        ("DATABASE_URL", "nonsense", "DATABASE_URL must begin with sqlite:// or postgres://."),
        ("DATABASE_URL", "postgres://ada:s3#cr/et@[db/x", "DATABASE_URL cannot be read."),
    ],
)
def test_a_value_that_cannot_be_read_is_said_in_one_line_with_its_variable(
    empty_home: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, reported: str
) -> None:
    monkeypatch.setenv(variable, value)
    refused = manage("check")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith(f"The settings are wrong: {reported}")
    assert len(refused.stderr.splitlines()) == 1
    assert variable != "DATABASE_URL" or value not in refused.stderr


def test_an_object_store_without_its_packages_is_refused_at_the_start_with_what_to_install(
    empty_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['storages'] = None\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert manage("check").returncode == 0
    monkeypatch.setenv("ORCHESTRATOR_CONTENT_URL", "s3://works/all")
    refused = manage("check")
    assert refused.returncode == 1
    assert refused.stderr.startswith("The settings are wrong: ORCHESTRATOR_CONTENT_URL needs the extra s3: install it")
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.parametrize("name", ["c++", "50%41", "who?", "no #1", 'it\'s "mine"', "$HOME"])
def test_the_database_is_in_the_data_folder_whatever_that_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    home = make_home(tmp_path / name)
    monkeypatch.setenv("ORCHESTRATOR_HOME", str(home))
    monkeypatch.setenv("DATABASE_URL", "")
    assert manage("token", "create", "laptop").returncode == 0
    with closing(sqlite3.connect(home / "orchestrator.sqlite3")) as database:
        assert database.execute("SELECT name FROM orchestrator_site_accesstoken").fetchall() == [("laptop",)]
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_connection_that_the_database_has_closed_in_the_meantime_is_not_used_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://ada@db.example/orchestrator")
    config = _database()
    assert config["CONN_MAX_AGE"]
    assert config["CONN_HEALTH_CHECKS"] is True


def test_the_key_is_made_once_and_is_for_its_owner_alone(empty_home: Path) -> None:
    assert manage("check").returncode == 0
    key = (empty_home / "secret_key").read_text()
    assert manage("check").returncode == 0
    assert (empty_home / "secret_key").read_text() == key
    assert len(key) >= 50
    assert (empty_home / "secret_key").stat().st_mode & 0o077 == 0


def test_the_checks_for_deployment_pass_behind_tls(empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_TLS", "true")
    monkeypatch.setenv("ORCHESTRATOR_ALLOWED_HOSTS", "orchestrator.example")
    checked = manage("check", "--deploy", "--fail-level", "WARNING")
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("command", ["up", "doctor"])
def test_an_address_with_a_path_stops_the_site_and_the_doctor(
    empty_home: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_TRUSTED_ORIGINS", "https://board.example/orchestrator")
    refused = manage(command)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "https://board.example/orchestrator has a path" in refused.stderr


def test_a_slash_at_the_end_of_an_address_is_no_path() -> None:
    addresses = ["https://board.example/", "https://board.example:8443", "[::1]", ".example.org/"]
    trimmed = ["https://board.example", "https://board.example:8443", "[::1]", ".example.org"]
    assert _without_path("ANY", addresses) == trimmed
