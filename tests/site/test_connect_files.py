"""Writing a configuration whole or not at all, and telling a change without telling secrets."""

from __future__ import annotations

import os
import resource
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator_site.connect import diffs, files
from orchestrator_site.kernel.errors import Conflict, Invalid, TooLarge


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "mcp.json"
    path.write_bytes(b"{}\r\n")
    path.chmod(0o640)
    return path


def test_a_file_is_replaced_and_what_it_was_stands_next_to_it(config: Path) -> None:
    backup = files.write(files.read(config), '{"a": 1}\r\n', is_private=False)
    assert config.read_bytes() == b'{"a": 1}\r\n'
    assert backup is not None
    assert backup.parent == config.parent
    assert backup.name.startswith("mcp.json.backup-20")
    assert backup.read_bytes() == b"{}\r\n"
    assert (mode_of(config), mode_of(backup)) == (0o640, 0o640)
    assert sorted(config.parent.iterdir()) == sorted([config, backup])


def test_a_file_that_holds_a_token_is_for_its_owner_alone(config: Path) -> None:
    files.write(files.read(config), "x", is_private=True)
    assert mode_of(config) == 0o600


def test_a_new_file_is_for_its_owner_alone_and_has_no_backup(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "mcp.json"
    assert files.write(files.read(path), "{}", is_private=False) is None
    assert (path.read_text(), mode_of(path)) == ("{}", 0o600)


def test_two_backups_in_one_second_are_two(config: Path) -> None:
    first = files.write(files.read(config), "1", is_private=False)
    second = files.write(files.read(config), "2", is_private=False)
    assert first and second
    assert (first.read_bytes(), second.read_bytes()) == (b"{}\r\n", b"1")


def test_a_link_stays_a_link_and_its_target_is_written(tmp_path: Path, config: Path) -> None:
    link = tmp_path / "home" / ".claude.json"
    link.parent.mkdir()
    link.symlink_to(config)
    backup = files.write(files.read(link), "new", is_private=False)
    assert link.is_symlink()
    assert config.read_text() == "new"
    assert backup is not None
    assert backup.parent == link.parent


def test_a_link_to_a_file_that_is_not_there_yet_is_written_through(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "dotfiles" / "claude.json")
    files.write(files.read(link), "new", is_private=False)
    assert (tmp_path / "dotfiles" / "claude.json").read_text() == "new"
    assert link.is_symlink()


def test_a_file_that_changed_meanwhile_is_not_written(config: Path) -> None:
    before = files.read(config)
    config.write_text('{"somebody": "else"}')
    with pytest.raises(Conflict, match="changed by another program"):
        files.write(before, "mine", is_private=False)
    assert config.read_text() == '{"somebody": "else"}'
    assert list(config.parent.iterdir()) == [config]


def test_a_file_that_came_or_went_meanwhile_is_not_written(tmp_path: Path, config: Path) -> None:
    missing = files.read(tmp_path / "other.json")
    missing.path.write_text("{}")
    with pytest.raises(Conflict):
        files.write(missing, "mine", is_private=False)
    before = files.read(config)
    config.unlink()
    with pytest.raises(Conflict):
        files.write(before, "mine", is_private=False)
    assert not config.exists()


def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="is no file"):
        files.read(tmp_path)


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(Invalid, match="cannot be read"):
        files.read(tmp_path / "a")


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Invalid, match="is no file"):
        files.read(tmp_path / "pipe")


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(files.SIZE_LIMIT + 1)
    with pytest.raises(TooLarge):
        files.read(path)


def test_what_is_not_utf_8_is_refused(config: Path) -> None:
    config.write_bytes("{}".encode("utf-16"))
    with pytest.raises(Invalid, match="is not UTF-8"):
        assert files.read(config).text


def test_a_file_under_a_file_is_refused_when_it_is_written(config: Path) -> None:
    before = files.read(config / "mcp.json")
    assert before.content is None
    with pytest.raises(Invalid, match="cannot be written"):
        files.write(before, "{}", is_private=False)


def test_nothing_is_left_behind_where_the_file_cannot_be_replaced(config: Path) -> None:
    folder = config.with_name("folder")
    before = replace(files.read(config), target=folder)
    folder.mkdir()
    with pytest.raises((Invalid, Conflict)):
        files.write(before, "{}", is_private=False)
    assert sorted(config.parent.iterdir()) == sorted([config, folder])


@pytest.mark.parametrize("room", [5, 40], ids=["for the new text", "for the backup"])
def test_a_disk_that_is_full_leaves_everything_as_it_was(config: Path, room: int) -> None:
    """A bound on the size of files stands for the disk; only the longer of both texts does not fit."""
    config.write_text("{" + " " * (60 if room > 5 else 1) + "}")
    before, names = config.read_text(), sorted(config.parent.iterdir())
    snapshot = files.read(config)
    bounds = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, bounds[1]))
    try:
        with pytest.raises(Invalid, match="File too large") as refused:
            files.write(snapshot, '{"mcpServers": {}}', is_private=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, bounds)
    assert "the disk" in refused.value.next
    assert (config.read_text(), sorted(config.parent.iterdir())) == (before, names)


def test_a_path_that_cannot_be_looked_at_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="cannot be read") as refused:
        files.read(tmp_path / ("x" * 300))
    assert "rights" in refused.value.next


# What is shown

TOKEN = "mto_QuOET66dj40P7QoT0Ial06VCwnx6lI9Pi4TfwWtNk34"


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        (f'"Authorization": "Bearer {TOKEN}"', TOKEN),
        (f'http_headers = {{Authorization = "Bearer {TOKEN}"}}', TOKEN),
        ('"GITHUB_TOKEN": "short"', "short"),
        ("api_key = 'abc'", "abc"),
        ('"password": "with \\" quote"', "quote"),
        ('"DATABASE_URL": "postgres://ada:hunter2@db/tasks"', "hunter2"),
        ('"args": ["--header", "Authorization: Basic YWRhOmh1bnRlcjI="]', "YWRhOmh1bnRlcjI"),
        ('"X-Custom": "sk-ant-api03-AAAAAAAAAAAAAAAAAAAAAAAA"', "AAAAAAAAAAAAAAAAAAAA"),
    ],
)
def test_a_secret_is_not_shown(line: str, secret: str) -> None:
    assert secret not in diffs.masked(line)
    assert "•••" in diffs.masked(line)


@pytest.mark.parametrize(
    "line",
    [
        '"command": "/home/ada/src/mcp-task-orchestrator-2026/.venv/bin/python3.11"',
        '"Authorization": "Bearer ${env:TOKEN}"',
        '"args": ["C:\\\\Users\\\\ada\\\\manage.py", "mcp_serve"]',
        '"url": "http://127.0.0.1:8000/mcp"',
        '"theme": "dark"',
    ],
)
def test_what_is_no_secret_is_shown(line: str) -> None:
    assert diffs.masked(line) == line


def test_the_change_is_shown_with_its_surroundings() -> None:
    shown = diffs.diff(Path("/home/ada/.mcp.json"), '{\n  "a": 1\n}\n', '{\n  "a": 2\n}\n')
    assert shown.splitlines()[0] == "--- /home/ada/.mcp.json"
    assert shown.splitlines()[-4:] == [" {", '-  "a": 1', '+  "a": 2', " }"]
