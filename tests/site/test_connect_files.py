"""Replace configuration files atomically, and show changes without secrets."""

from __future__ import annotations

import errno
import os
import resource
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

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


def test_a_file_is_replaced_with_a_backup_beside_it(config: Path) -> None:
    backup = files.write(files.read(config), '{"a": 1}\r\n', is_private=False)
    assert config.read_bytes() == b'{"a": 1}\r\n'
    assert backup is not None
    assert backup.parent == config.parent
    assert backup.name.startswith("mcp.json.backup-20")
    assert backup.read_bytes() == b"{}\r\n"
    assert (mode_of(config), mode_of(backup)) == (0o640, 0o640)
    assert sorted(config.parent.iterdir()) == sorted([config, backup])


def test_a_private_file_is_only_for_its_owner(config: Path) -> None:
    files.write(files.read(config), "x", is_private=True)
    assert mode_of(config) == 0o600


def test_a_new_file_is_private_and_has_no_backup(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "mcp.json"
    assert files.write(files.read(path), "{}", is_private=False) is None
    assert (path.read_text(), mode_of(path)) == ("{}", 0o600)


@pytest.mark.parametrize(
    "before", [f'{{"headers": "Bearer {"mto_" + "x" * 43}"}}', '{"GITHUB_TOKEN": "short"}', '{"a": "b:c@d"}']
)
def test_a_backup_with_a_secret_is_only_for_its_owner(config: Path, before: str) -> None:
    config.write_text(before)
    backup = files.write(files.read(config), "{}", is_private=False)
    assert backup
    assert mode_of(config) == 0o640
    assert mode_of(backup) == (0o640 if "b:c" in before else 0o600)


def test_a_backup_of_a_private_file_is_private_too(config: Path) -> None:
    backup = files.write(files.read(config), "x", is_private=True)
    assert backup and mode_of(backup) == 0o600


def test_a_link_may_not_leave_the_folder_that_it_should_be_in(tmp_path: Path) -> None:
    project, outside = tmp_path / "project", tmp_path / "outside"
    (project / "inner").mkdir(parents=True)
    outside.mkdir()
    (outside / "mcp.json").write_text("{}")
    (project / "inner" / "mcp.json").write_text("{}")
    (project / ".folder").symlink_to(outside)
    (project / ".file").symlink_to(outside / "mcp.json")
    (project / ".new").symlink_to(outside / "new.json")
    (project / ".inside").symlink_to(project / "inner" / "mcp.json")
    (tmp_path / "link").symlink_to(project)
    for name in (".folder/mcp.json", ".file", ".new", "../outside/mcp.json"):
        with pytest.raises(Invalid):
            files.read(project / name, within=project)
    for top in (project, tmp_path / "link"):
        assert files.read(top / ".inside", within=top).text == "{}"
        assert files.read(top / "none" / "mcp.json", within=top).content is None


def test_two_backups_in_one_second_have_different_names(config: Path) -> None:
    first = files.write(files.read(config), "1", is_private=False)
    second = files.write(files.read(config), "2", is_private=False)
    assert first and second
    assert (first.read_bytes(), second.read_bytes()) == (b"{}\r\n", b"1")


def test_a_link_is_kept_and_its_target_written(tmp_path: Path, config: Path) -> None:
    link = tmp_path / "home" / ".claude.json"
    link.parent.mkdir()
    link.symlink_to(config)
    backup = files.write(files.read(link), "new", is_private=False)
    assert link.is_symlink()
    assert config.read_text() == "new"
    assert backup is not None
    assert backup.parent == link.parent


def test_a_dangling_link_creates_its_target(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "dotfiles" / "claude.json")
    files.write(files.read(link), "new", is_private=False)
    assert (tmp_path / "dotfiles" / "claude.json").read_text() == "new"
    assert link.is_symlink()


def test_a_file_changed_by_another_program_is_not_overwritten(config: Path) -> None:
    before = files.read(config)
    config.write_text('{"other": "change"}')
    with pytest.raises(Conflict):
        files.write(before, "mine", is_private=False)
    assert config.read_text() == '{"other": "change"}'
    assert list(config.parent.iterdir()) == [config]


def test_a_file_created_or_deleted_by_another_program_is_not_overwritten(tmp_path: Path, config: Path) -> None:
    missing = files.read(tmp_path / "other.json")
    missing.path.write_text("{}")
    with pytest.raises(Conflict):
        files.write(missing, "mine", is_private=False)
    before = files.read(config)
    config.unlink()
    with pytest.raises(Conflict):
        files.write(before, "mine", is_private=False)
    assert not config.exists()


def test_a_folder_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(Invalid):
        files.read(tmp_path)


def test_a_loop_of_links_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(Invalid):
        files.read(tmp_path / "a")


def test_a_pipe_is_rejected_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Invalid):
        files.read(tmp_path / "pipe")


def test_a_pipe_that_takes_the_place_of_a_file_is_rejected_without_waiting(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = os.stat

    def swapping(path: str | Path, **options: Any) -> os.stat_result:
        found = look(path, **options)
        if Path(path).name == config.name and stat.S_ISREG(found.st_mode):
            config.unlink()
            os.mkfifo(config)
        return found

    monkeypatch.setattr(os, "stat", swapping)
    with pytest.raises(Invalid):
        files.read(config)


@pytest.mark.parametrize("name", [".task_orchestrator", ".task_orchestrator/roles"])
def test_a_specialists_file_is_not_written_through_a_link(tmp_path: Path, name: str) -> None:
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (project / name).parent.mkdir(parents=True)
    (project / name).symlink_to(elsewhere)
    with pytest.raises(Invalid):
        files.create_roles_file(project)
    assert list(elsewhere.iterdir()) == []


def test_a_huge_file_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(files.SIZE_LIMIT + 1)
    with pytest.raises(TooLarge):
        files.read(path)


def test_a_file_that_is_not_utf_8_is_rejected(config: Path) -> None:
    config.write_bytes("{}".encode("utf-16"))
    with pytest.raises(Invalid):
        assert files.read(config).text


def test_a_path_below_a_file_is_rejected_on_write(config: Path) -> None:
    before = files.read(config / "mcp.json")
    assert before.content is None
    with pytest.raises(Invalid):
        files.write(before, "{}", is_private=False)


def test_a_failed_write_leaves_no_files_behind(config: Path) -> None:
    folder = config.with_name("folder")
    before = replace(files.read(config), target=folder)
    folder.mkdir()
    with pytest.raises((Invalid, Conflict)):
        files.write(before, "{}", is_private=False)
    assert sorted(config.parent.iterdir()) == sorted([config, folder])


@pytest.mark.parametrize("limit", [5, 40], ids=["writing the file", "writing the backup"])
def test_a_full_disk_changes_nothing(config: Path, limit: int) -> None:
    """A file size limit simulates the full disk; only the longer of the two files exceeds it."""
    config.write_text("{" + " " * (60 if limit > 5 else 1) + "}")
    before, names = config.read_text(), sorted(config.parent.iterdir())
    snapshot = files.read(config)
    bounds = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, bounds[1]))
    try:
        with pytest.raises(Invalid) as raised:
            files.write(snapshot, '{"mcpServers": {}}', is_private=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, bounds)
    assert isinstance(raised.value.__cause__, OSError) and raised.value.__cause__.errno == errno.EFBIG
    assert (config.read_text(), sorted(config.parent.iterdir())) == (before, names)


def test_an_unreadable_path_is_rejected_with_advice(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as raised:
        files.read(tmp_path / ("x" * 300))
    assert raised.value.next


# Diffs

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
def test_a_secret_is_masked(line: str, secret: str) -> None:
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
def test_other_values_are_not_masked(line: str) -> None:
    assert diffs.masked(line) == line


@pytest.mark.parametrize("char", ["\x1b", "\x07", "\x9b", "\u202e", "\u2066", "\x85", "\u200b", "\u2028", "\r"])
def test_what_would_steer_a_terminal_is_shown_as_an_escape(char: str) -> None:
    before = f'{{\n  // {char}x\n\t"a": 1\n}}\n'
    shown = diffs.diff(Path(f"/home/{char}/.mcp.json"), before, before.replace("1", f"2{char}"))
    assert all(each.isprintable() or each in "\n\t" for each in shown)


def test_a_diff_has_context_lines() -> None:
    shown = diffs.diff(Path("/home/ada/.mcp.json"), '{\n  "a": 1\n}\n', '{\n  "a": 2\n}\n')
    assert shown.splitlines()[0] == "--- /home/ada/.mcp.json"
    assert shown.splitlines()[-4:] == [" {", '-  "a": 1', '+  "a": 2', " }"]


@pytest.mark.parametrize("name", [".loop/mcp.json", ".loop"])
def test_a_link_to_itself_is_found_when_the_file_is_read(tmp_path: Path, name: str) -> None:
    (tmp_path / ".loop").symlink_to(".loop")
    for within in (tmp_path, None):
        with pytest.raises(Invalid):
            files.read(tmp_path / name, within=within)
