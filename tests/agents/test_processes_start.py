"""Starting an agent: what it gets, what it cannot do, and what keeps it from being started."""

from __future__ import annotations

import os
import stat
from itertools import pairwise
from pathlib import Path

import pytest

from orchestrator_site.kernel.errors import Conflict, Unavailable
from tasks.agents.processes import Limits, Log, Process, end, ports, read, send, start, wait
from tests.agents.runs import EACH_WAY, Run, job, run, said, wait_for
from tests.site.processes import wait_until

__all__ = ["run"]


def exit_code(process: Process) -> int | None:
    exited = wait(process, seconds=100)
    assert exited is not None
    return exited.code


@pytest.mark.parametrize(("act", "code"), [("leave", 0), ("fail", 3), ("crash", -11)])
def test_the_exit_code_is_that_of_the_agent(run: Run, act: str, code: int) -> None:
    assert exit_code(run(act)) == code


def test_an_agent_that_runs_has_no_exit_code(run: Run) -> None:
    assert wait(run("pause"), seconds=0) is None


@EACH_WAY
def test_an_agent_has_its_environment_and_the_marker_alone(run: Run, jailed: bool) -> None:
    process = run("environment", jailed=jailed, environment={"PATH": os.environ["PATH"], "ONE": "1"})
    exit_code(process)

    assert set(said(process)[0].split()) - {"PWD", "LC_CTYPE"} == {"ONE", "ORCHESTRATOR_RUN", "PATH"}


@EACH_WAY
def test_the_first_input_is_passed_on_whole_and_ends(run: Run, jailed: bool) -> None:
    process = run("echo", jailed=jailed, first_input=b"x" * 5_000_000 + b"\nsecond")

    assert exit_code(process) == 0
    assert said(process) == [f"heard {'x' * 100}, 5000001 long", "heard second, 6 long", "input ended", "did echo"]


def test_lines_are_sent_in_order_until_the_last(run: Run) -> None:
    process = run("echo", first_input=b"first\n", stdin_stays_open=True)
    wait_for(process, "heard first, 6 long")

    send(process, [b"second", b"y" * 3_000_000])
    send(process, [b"last"], last=True)

    assert exit_code(process) == 0
    assert said(process)[1:4] == ["heard second, 7 long", f"heard {'y' * 100}, 3000001 long", "heard last, 5 long"]


def test_sending_waits_for_no_agent_that_reads_nothing(run: Run) -> None:
    process = run("pause", stdin_stays_open=True)

    for _ in range(10):
        send(process, [b"z" * 1_000_000])

    assert wait(process, seconds=0) is None


def test_a_run_whose_input_has_ended_takes_no_more(run: Run) -> None:
    process = run("pause", first_input=b"all\n")
    wait_until(lambda: not Path(process.folder, "input").exists(), "the end of the input")

    with pytest.raises(Conflict):
        send(process, [b"more"])


def test_a_run_that_has_ended_takes_no_input(run: Run) -> None:
    process = run("leave", stdin_stays_open=True)
    exit_code(process)
    end(process)

    with pytest.raises(Conflict):
        send(process, [b"too late"])


def test_an_agent_has_limits(run: Run) -> None:
    process = run("limits", limits=Limits(open_files=123))
    exit_code(process)

    assert said(process)[0] == "123 0"


def test_an_agent_cannot_write_a_larger_file_than_its_limit(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "large"
    process = run(argv=["sh", "-c", f"head -c 100000 /dev/zero > {target}"], limits=Limits(file_bytes=4096))

    assert exit_code(process) != 0
    assert target.stat().st_size == 4096


def test_output_and_errors_have_logs_of_their_own(run: Run) -> None:
    process = run("complain")
    exit_code(process)

    assert read(process, 0, log=Log.ERRORS).lines == (b"it hurts",)
    assert said(process) == ["did complain"]


def test_only_its_user_reads_a_run_folder(run: Run) -> None:
    folder = Path(run("leave", files={"brief.md": "Do it.", "home/config.json": "{}"}).folder)

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert (folder / "brief.md").read_text() == "Do it."
    modes = {stat.S_IMODE(each.stat().st_mode) for each in folder.rglob("*") if each.is_file()}
    assert modes == {0o600}


def test_an_agent_is_started_once_in_a_folder(run: Run, tmp_path: Path) -> None:
    process = run("pause")

    with pytest.raises(Conflict):
        start(**job("run_second", Path(process.folder), "pause"))

    assert wait(process, seconds=0) is None


def test_a_program_that_is_missing_is_named(run: Run, tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as caught:
        start(**job("run_missing", tmp_path / "run") | {"argv": ["no-such-agent", "--flag"]})

    assert "no-such-agent" in caught.value.message
    assert str(tmp_path) not in caught.value.message


def test_each_run_has_ports_of_its_own() -> None:
    blocks = [ports(index)["ORCHESTRATOR_PORTS"].split("-") for index in range(500)]

    assert ports(0)["PORT"] == blocks[0][0]
    assert all(int(last) < int(first) for (_, last), (first, _) in pairwise(blocks))
    assert int(blocks[-1][1]) < 32_768
