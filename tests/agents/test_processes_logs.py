"""Logs are read by cursor, stay within their limits, and show no secret."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_site.kernel.errors import Unavailable
from tasks.agents.processes import (
    Excess,
    Limits,
    Lines,
    Log,
    Process,
    Watch,
    end,
    is_alive,
    measure,
    read,
    redact,
    wait,
)
from tasks.agents.processes.keeper import Sink
from tests.agents.runs import EACH_WAY, Run, run, wait_for
from tests.site.processes import wait_until

__all__ = ["run"]

MIB = 1024 * 1024


@pytest.fixture
def gone(tmp_path: Path) -> Process:
    """A run that has ended and wrote what a test puts into its log."""
    return Process("run_gone", os.path.realpath(tmp_path), 2**22 + 1, "never")


def write(process: Process, content: bytes) -> None:
    Path(process.folder, Log.EVENTS).write_bytes(content)


def read_all(process: Process, *, limit: int = MIB) -> list[bytes]:
    lines: list[bytes] = []
    offset, at_end = 0, False
    while not at_end:
        found = read(process, offset, limit=limit)
        lines += found.lines
        offset, at_end = found.next_offset, found.at_end
    assert offset == Path(process.folder, Log.EVENTS).stat().st_size
    return lines


@given(
    lines=st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b""))),
    last=st.binary(min_size=1, max_size=40).map(lambda line: line.replace(b"\n", b"") or b"x"),
    limit=st.integers(1, 100),
)
def test_every_line_is_read_once_whatever_the_limit(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], last: bytes, limit: int
) -> None:
    process = Process("run_gone", os.path.realpath(tmp_path_factory.mktemp("run")), 2**22 + 1, "never")
    write(process, b"".join(line + b"\n" for line in lines) + last)

    assert read_all(process, limit=limit) == [*lines, last]


@pytest.mark.parametrize("length", [MIB - 1, MIB, MIB + 1, 3 * MIB + 7])
@pytest.mark.parametrize("limit", [1000, MIB])
def test_a_long_line_is_cut_to_one_mebibyte(gone: Process, length: int, limit: int) -> None:
    write(gone, b"first\n" + b"x" * length + b"\nlast\n")

    assert read_all(gone, limit=limit) == [b"first", b"x" * min(length, MIB), b"last"]


def test_a_last_line_without_its_end_comes_when_the_agent_has_exited(run: Run) -> None:
    process = run("child", "leave_unfinished")
    wait(process, seconds=100)

    assert is_alive(process)  # it has a child
    assert read(process, 0).lines == (b"did child", b"no newline")


def test_a_line_that_is_still_being_written_is_left_for_later(run: Run) -> None:
    process = run("unfinished")
    wait_until(lambda: measure(process).log_bytes > 0, "the line")

    assert read(process, 0) == Lines((), 0, at_end=True)


def test_nothing_is_read_at_the_end_or_beyond(gone: Process) -> None:
    write(gone, b"one\n")

    assert read(gone, 4) == read(gone, 4, limit=1)
    assert (read(gone, 4).lines, read(gone, 4).next_offset, read(gone, 4).at_end) == ((), 4, True)
    assert read(gone, 400).lines == ()


@pytest.mark.parametrize("replace", ["link", "pipe", "folder"])
def test_a_log_that_was_replaced_is_not_read(gone: Process, tmp_path: Path, replace: str) -> None:
    log = tmp_path / Log.EVENTS
    {"link": lambda: log.symlink_to("/etc/passwd"), "pipe": lambda: os.mkfifo(log), "folder": log.mkdir}[replace]()

    with pytest.raises(Unavailable):
        read(gone, 0)


@EACH_WAY
def test_a_flood_fills_the_log_to_its_limit_and_no_further(run: Run, jailed: bool) -> None:
    process = run("child", "flood", jailed=jailed)
    watch = Watch(process, idle_seconds=1000, memory_bytes=1000 * MIB)
    wait_until(lambda: watch.excess() is Excess.LOG_FULL, "the full log")

    ended = end(process)

    assert ended.survivors == ()
    assert Path(process.folder, Log.EVENTS).stat().st_size == 64 * MIB
    assert sum(len(line) + 1 for line in read_all(process)) >= 64 * MIB


def test_a_full_disk_ends_the_log_and_not_its_keeper() -> None:
    reader, writer = os.pipe()
    sink = Sink(reader, "/dev/full", limit=1000)
    os.write(writer, b"line\n")

    assert not sink.copy()
    assert sink.room == 0
    for fd in (reader, writer):
        os.close(fd)


def test_a_full_log_of_errors_ends_a_run_too(run: Run) -> None:
    limits = Limits(stderr_bytes=5)
    process = run("complain", "pause", limits=limits)
    watch = Watch(process, idle_seconds=1000, memory_bytes=1000 * MIB, limits=limits)

    wait_until(lambda: watch.excess() is Excess.LOG_FULL, "the full log")


def test_a_run_is_idle_when_it_writes_nothing(run: Run) -> None:
    process = run("pause")
    patient = Watch(process, idle_seconds=1000, memory_bytes=1000 * MIB)
    hasty = Watch(process, idle_seconds=0.1, memory_bytes=1000 * MIB)

    wait_until(lambda: hasty.excess() is Excess.IDLE, "idleness")

    assert patient.excess() is None


@EACH_WAY
def test_memory_and_processes_are_measured_in_all_of_the_run(run: Run, jailed: bool) -> None:
    process = run("child", "eat", "pause", jailed=jailed)
    wait_for(process, "did eat")

    measured = measure(process)

    assert measured.memory_bytes > 100_000_000
    assert measured.processes >= 3
    assert Watch(process, idle_seconds=1000, memory_bytes=50 * MIB).excess() is Excess.MEMORY


def test_a_run_that_has_ended_uses_nothing(run: Run) -> None:
    process = run("leave")
    wait(process, seconds=100)
    end(process)

    assert (measure(process).memory_bytes, measure(process).processes) == (0, 0)


def test_known_secrets_are_not_shown() -> None:
    secrets = ["sk-secret-1", "sk-secret-1-longer", 'quoted"secret', "", "short"]

    shown = redact('a sk-secret-1-longer b sk-secret-1 c quoted"secret d quoted\\"secret short', secrets)

    assert shown == "a [secret] b [secret] c [secret] d [secret] short"
    assert redact("nothing", []) == "nothing"


@given(secret=st.text(min_size=8, max_size=30), before=st.text(max_size=20), after=st.text(max_size=20))
def test_no_secret_is_left_in_what_is_shown(secret: str, before: str, after: str) -> None:
    shown = redact(before + secret + after, [secret])

    assert secret not in shown.replace("[secret]", "\N{NULL}")
