"""However an agent and its children behave, nothing is left of a run that was ended."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tasks.agents.processes import Log, Process, end, end_strays, is_alive, read, send, strays, wait
from tasks.agents.processes.folder import AGENT, number_in
from tests.agents.runs import EACH_WAY, Run, assert_nothing_left, is_anyone_left, run, said, wait_for
from tests.site.processes import wait_until

__all__ = ["run"]

ZOO = ["child", "deaf_child", "bare_child", "daemon", "frozen_child"]


@EACH_WAY
@pytest.mark.parametrize("animal", ZOO)
def test_nothing_is_left_of_an_agent_that_runs(run: Run, animal: str, jailed: bool) -> None:
    process = run(animal, "pause", jailed=jailed)
    wait_for(process, f"did {animal}")
    assert is_anyone_left(process)

    ended = end(process)

    assert ended.survivors == ()
    assert_nothing_left(process)


@EACH_WAY
@pytest.mark.parametrize("animal", ZOO)
def test_nothing_is_left_of_an_agent_that_has_exited(run: Run, animal: str, jailed: bool) -> None:
    process = run(animal, "leave", jailed=jailed)
    assert wait(process, seconds=60)

    ended = end(process)

    assert (ended.exit_code, ended.survivors) == (0, ())
    assert jailed or {each.run_id for each in ended.strays} == {process.run_id}
    assert_nothing_left(process)


def test_what_ends_with_its_agent_is_no_stray(run: Run) -> None:
    process = run("server", "leave")
    wait(process, seconds=60)

    assert end(process).strays == ()


@EACH_WAY
def test_a_chain_of_forks_ends(run: Run, jailed: bool) -> None:
    process = run("forking_chain", "pause", jailed=jailed)
    wait_for(process, "did forking_chain")

    assert end(process).survivors == ()
    assert_nothing_left(process)


@EACH_WAY
def test_an_agent_may_exit_by_itself_when_it_is_asked_to(run: Run, jailed: bool) -> None:
    process = run("polite", "pause", jailed=jailed)
    wait_for(process, "did polite")

    assert end(process, grace=60).exit_code == 5


@EACH_WAY
def test_an_agent_that_ignores_signals_is_killed(run: Run, jailed: bool) -> None:
    process = run("deaf", "deaf_child", "pause", jailed=jailed)
    wait_for(process, "did deaf_child")

    assert end(process, grace=0).exit_code in (-9, 137)
    assert_nothing_left(process)


def test_an_agent_that_is_interrupted_gets_the_lines_and_the_end_of_its_input(run: Run) -> None:
    process = run("deaf", "echo", "leave", stdin_stays_open=True)
    wait_for(process, "did deaf")

    ended = end(process, interrupt=[b"stop"], grace=60)

    assert ended.exit_code == 0
    assert said(process)[-2:] == ["input ended", "did echo"]


@pytest.mark.parametrize("takes_input", [True, False])
def test_an_agent_that_heeds_no_interrupt_is_sent_a_signal(run: Run, takes_input: bool) -> None:
    process = run("polite", "pause", stdin_stays_open=takes_input)
    wait_for(process, "did polite")

    assert end(process, interrupt=[b"stop"], grace=8 if takes_input else 100).exit_code == 5


def test_an_agent_that_hangs_after_its_result_is_killed(run: Run) -> None:
    process = run("deaf", "child", "pause", stdin_stays_open=True)
    wait_for(process, "did child")
    send(process, [b"nobody reads this"])

    assert end(process, interrupt=[b"stop"], grace=0).exit_code == -9
    assert_nothing_left(process)


@pytest.mark.parametrize("animal", ["child", "deaf_child", "daemon"])
def test_a_run_whose_keeper_was_killed_leaves_nothing_either(run: Run, animal: str) -> None:
    process = run(animal, "pause")
    wait_for(process, f"did {animal}")
    psutil.Process(process.pid).kill()
    wait_until(lambda: not is_alive(process), "the end of the keeper")

    ended = end(process)

    assert (ended.exit_code, ended.survivors) == (None, ())
    assert_nothing_left(process)


@pytest.mark.parametrize("last", ["pause", "leave"])
def test_nothing_is_left_of_an_agent_that_wrecks_its_run_folder(run: Run, last: str) -> None:
    process = run("bare_child", "deaf_child", "complain", "wreck_folder", "complain", last)
    wait_until(lambda: len(read(process, 0, log=Log.ERRORS).lines) == 2, "the wreck")

    assert end(process, grace=0).survivors == ()
    assert_nothing_left(process)


def test_many_runs_end_at_once(run: Run) -> None:
    runs = [run(*ZOO, "pause") for _ in range(8)]
    for process in runs:
        wait_for(process, f"did {ZOO[-1]}")

    with ThreadPoolExecutor(len(runs)) as threads:
        ended = list(threads.map(end, runs))

    assert [each.survivors for each in ended] == [()] * len(runs)


def test_a_run_may_be_ended_twice(run: Run) -> None:
    process = run("fail")
    wait(process, seconds=60)

    assert [end(process).exit_code, end(process).exit_code] == [3, 3]


def test_ending_a_run_spares_another_process_with_its_pid(run: Run) -> None:
    ended, alive = run("leave"), run("pause")
    end(ended)
    reused = dataclasses.replace(ended, pid=alive.pid)

    assert not is_alive(reused)
    assert end(reused).strays == ()
    assert is_alive(alive)


def test_ending_a_run_spares_another_run(run: Run) -> None:
    first, second = run("child", "pause"), run("child", "pause")
    wait_for(second, "did child")

    end(first, grace=0)

    assert len(strays([second.run_id])) >= 3


def test_an_agent_whose_pid_was_given_to_another_process_is_sent_no_signal(run: Run) -> None:
    process = run("deaf", "pause")
    wait_for(process, "did deaf")
    stranger = subprocess.Popen(["sleep", "1000"])
    Path(process.folder, AGENT).write_text(str(stranger.pid))

    end(process, grace=0)

    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_a_pid_that_is_used_again_is_not_the_run_any_more(run: Run) -> None:
    process = run("leave")
    wait(process, seconds=60)
    end(process)
    stranger = _with_pid(process.pid)

    assert not is_alive(process)
    assert end(process).exit_code == 0
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def _with_pid(pid: int) -> subprocess.Popen[bytes]:
    last = Path("/proc/sys/kernel/ns_last_pid")
    for _ in range(200):
        try:
            last.write_text(str(pid - 1))
        except OSError:
            pytest.skip("this system does not let a test choose a pid")
        process = subprocess.Popen(["sleep", "1000"])
        if process.pid == pid:
            return process
        process.kill()
        process.wait()
    pytest.fail("the pid was always taken")


def test_strays_are_found_and_ended_by_the_ids_of_their_runs_alone(run: Run) -> None:
    process = run("bare_child", "child", "forking_chain", "pause")
    wait_for(process, "did forking_chain")

    assert {"sh", "sleep"} <= {each.name for each in strays([process.run_id])}
    assert end_strays([process.run_id]) == ()
    assert_nothing_left(process)


def test_the_agent_is_the_one_that_was_started(run: Run) -> None:
    process = run("pause")
    agent = psutil.Process(number_in(process, AGENT))

    assert agent.parent() == psutil.Process(process.pid)
    assert sys.executable in agent.cmdline()


def test_an_unknown_run_has_no_strays() -> None:
    gone = Process("run_none", "/nonexistent", 2**22 + 1, "never")

    assert not is_alive(gone)
    assert strays([gone.run_id]) == []
