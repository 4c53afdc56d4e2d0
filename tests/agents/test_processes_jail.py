"""In a jail, an agent sees its own files alone and changes only those that it was given to change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tasks.agents.processes import Exit, Jail, end, jail, probe_jail, read, wait
from tests.agents.runs import Run, make_alive, run

__all__ = ["run"]

needs_jail = pytest.mark.skipif(bool(probe_jail()), reason=str(probe_jail()))


@pytest.fixture
def worktree(tmp_path: Path) -> Path:
    (tmp_path / "data" / "worktree" / ".git").mkdir(parents=True)
    (tmp_path / "data" / "secret").write_text("the database")
    (tmp_path / "data" / "worktree" / ".git" / "config").write_text("[core]")
    return tmp_path / "data" / "worktree"


def shell(run: Run, script: str, worktree: Path) -> tuple[int | None, list[str]]:
    """Return exit code and lines of a script that runs in a jail with a worktree."""
    bounds = Jail(writable=(str(worktree),), read_only=(str(worktree / ".git"),))
    process = run(argv=["sh", "-c", script], cwd=worktree, jail=bounds)
    exited = wait(process, seconds=100)
    assert exited
    return exited.code, [line.decode() for line in read(process, 0).lines]


@needs_jail
def test_the_worktree_is_writable(run: Run, worktree: Path) -> None:
    assert shell(run, "pwd; echo new > file; mkdir -p deep/er", worktree) == (0, [str(worktree)])
    assert (worktree / "file").read_text() == "new\n"


@needs_jail
def test_the_run_folder_has_places_to_write_to_and_is_read_only_otherwise(run: Run) -> None:
    script = "cd ..; echo a > outbox/a && echo b > home/b && ! echo c > exit && ! rm events.jsonl && ! mv home other"
    process = run(argv=["sh", "-c", script], jail=Jail())

    assert wait(process, seconds=100) == Exit(0)


@needs_jail
@pytest.mark.parametrize(
    "attack",
    [
        "echo bad >> .git/config",
        "mv .git other",
        "cat ../secret",
        "echo bad > /usr/bad",
        "echo bad > /etc/bad",
        "mount -o remount,rw /usr",
        "umount .git",
        "mknod device b 8 0",
        "kill -9 $HOST_PID",
    ],
)
def test_what_lies_outside_is_out_of_reach(run: Run, worktree: Path, attack: str) -> None:
    code, _ = shell(run, attack.replace("$HOST_PID", str(os.getpid())), worktree)

    assert code != 0
    assert (worktree / ".git" / "config").read_text() == "[core]"


@needs_jail
def test_the_temporary_folder_is_one_of_its_own(run: Run, worktree: Path) -> None:
    code, lines = shell(run, "echo mine > /tmp/mine; cat /tmp/mine; ls /tmp", worktree)

    assert code == 0
    assert "mine" in lines
    assert not Path("/tmp/mine").exists()


@needs_jail
def test_no_process_of_others_is_seen(run: Run, worktree: Path) -> None:
    _, lines = shell(run, "ls /proc | grep -c '^[0-9]'", worktree)

    assert int(lines[0]) < 10


@needs_jail
def test_the_end_of_an_agent_is_that_of_its_jail(run: Run) -> None:
    process = run("bare_child", "daemon", "fail", jailed=True)

    exited = wait(process, seconds=100)

    assert exited and exited.code == 3
    assert end(process).strays == ()


@needs_jail
def test_a_bubblewrap_in_the_path_of_the_agent_is_not_taken(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bwrap").write_text(f"#!/bin/sh\ntouch {tmp_path}/outside\n")
    (tmp_path / "bwrap").chmod(0o700)
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}

    assert wait(run("leave", jailed=True, environment=path), seconds=100) == Exit(0)
    assert not (tmp_path / "outside").exists()


@needs_jail
def test_a_run_folder_has_the_path_that_it_was_given_too(run: Run, tmp_path: Path) -> None:
    make_alive(tmp_path / "real" / "run")
    (tmp_path / "link").symlink_to("real")
    folder = tmp_path / "link" / "run"
    script = f"cd {folder}/home && echo a > a && cd {tmp_path}/real/run/outbox && echo b > b"

    assert wait(run(folder=folder, cwd=folder / "home", argv=["sh", "-c", script], jail=Jail()), seconds=100) == Exit(0)


def test_a_missing_bubblewrap_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jail, "BWRAP", "no-such-bwrap")

    assert "bubblewrap" in str(probe_jail())


def test_a_bubblewrap_that_fails_is_no_jail(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "bwrap").write_text("#!/bin/sh\necho no permissions >&2; exit 1\n")
    (tmp_path / "bwrap").chmod(0o700)
    monkeypatch.setattr(jail, "BWRAP", str(tmp_path / "bwrap"))

    assert "no permissions" in str(probe_jail())
