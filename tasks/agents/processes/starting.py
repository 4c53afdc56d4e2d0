"""Starts an agent in a run folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from orchestrator_site.kernel.errors import Conflict, OrchestratorError, Unavailable
from orchestrator_site.kernel.files import disk_fault, make_folder, write_whole
from tasks.agents.processes import keeper
from tasks.agents.processes.folder import FIFO, INPUT, WRITABLE
from tasks.agents.processes.identity import MARKER, children, identity_of
from tasks.agents.processes.jail import jailed
from tasks.agents.processes.model import Jail, Limits, Log, Process


def start(
    *,
    run_id: str,
    folder: Path,
    argv: Sequence[str],
    environment: Mapping[str, str],
    cwd: Path,
    first_input: bytes = b"",
    stdin_stays_open: bool = False,
    files: Mapping[str, str] | None = None,
    jail: Jail | None = None,
    limits: Limits | None = None,
) -> Process:
    """Start an agent and return at once. `environment` is all of it, besides the marker of the run.

    `files` are written first, by paths relative to the run folder. Without `stdin_stays_open` its input ends after the
    first. Raises Unavailable where the program cannot be started, Conflict where one was started in this folder.
    """
    if os.name != "posix":
        raise Unavailable("Agents cannot be started on this system.", next="Run the site on Linux or macOS.")
    limits = limits or Limits()
    given, folder = folder, Path(os.path.realpath(folder))
    _lay_out(folder, first_input, files or {})
    environment = {**environment, MARKER: run_id}
    job = {
        "argv": jailed(jail, argv, folders={given, folder}, cwd=cwd, environment=environment) if jail else list(argv),
        "cwd": str(folder if jail else cwd),
        "environment": environment,
        "stdin_stays_open": stdin_stays_open,
        "limits": _system_limits(limits),
        "nice": limits.nice,
        "log_bytes": limits.log_bytes,
        "stderr_bytes": limits.stderr_bytes,
    }
    try:
        return _start_keeper(run_id, folder, job, program=Path(argv[0]).name)
    except OSError as error:
        raise disk_fault("The agent cannot be started", error) from error


def _lay_out(folder: Path, first_input: bytes, files: Mapping[str, str]) -> None:
    try:
        make_folder(folder.parent)
        folder.mkdir(0o700, exist_ok=True)
        folder.chmod(0o700)
        os.mkfifo(folder / FIFO, 0o600)  # only one caller gets beyond this
        for name in WRITABLE:
            (folder / name).mkdir(exist_ok=True)
        contents = {INPUT: first_input, Log.EVENTS: b"", Log.ERRORS: b""}
        for name, content in (contents | {name: text.encode() for name, text in files.items()}).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            write_whole(folder / name, content, mode=0o600)
    except FileExistsError:
        raise Conflict("The agent of this run was started before.", next="Start another attempt.") from None
    except OSError as error:
        raise disk_fault("The run folder cannot be made", error) from error


def _system_limits(limits: Limits) -> dict[str, int]:
    wanted = {
        "RLIMIT_NPROC": limits.processes, "RLIMIT_NOFILE": limits.open_files,
        "RLIMIT_FSIZE": limits.file_bytes, "RLIMIT_CORE": 0,
    }  # fmt: skip
    return {name: value for name, value in wanted.items() if value is not None}


def _start_keeper(run_id: str, folder: Path, job: dict[str, object], *, program: str) -> Process:
    """Start the keeper, then send it the job: one whose supervisor is killed before that exits by itself."""
    loader = {name: value for name, value in os.environ.items() if name == "LD_LIBRARY_PATH"}
    with (folder / Log.ERRORS).open("ab") as errors:
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", keeper.__file__], cwd=folder, env=loader | {MARKER: run_id},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, start_new_session=True,
        )  # fmt: skip
    children[child.pid] = child
    process = Process(run_id, str(folder), child.pid, identity_of(child.pid) or "")
    assert child.stdin and child.stdout  # noqa: S101 - they are pipes
    with child.stdin as stdin, child.stdout as reports:
        with suppress(BrokenPipeError):
            stdin.write(json.dumps(job).encode())
            stdin.close()
        report = reports.read()
    if report != keeper.STARTED:
        children.pop(child.pid).wait()
        raise _not_started(program, report)
    return process


def _not_started(program: str, report: bytes) -> OrchestratorError:
    why = os.strerror(int(report)) if report.isdigit() else "its keeper failed"
    return Unavailable(f"{program} cannot be started: {why}.", next="Ask the person who runs the server to install it.")
