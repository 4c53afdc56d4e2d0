"""Supervisors as processes, on the database of the running test, with a repository for their runs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import psutil

from tasks.agents.models import Run
from tasks.models import Project, Task
from tests.agents.rows import LIMITS, make_run, switch_on
from tests.factories import make_project, make_task
from tests.site.processes import ROOT, shared_database, wait_until

AGENT = Path(__file__).with_name("agent_at_work.py")


class Healthy(BaseHTTPRequestHandler):
    """A site that answers, which is all that a supervisor wants to know of it."""

    def do_GET(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@dataclass
class Supervised:
    """A project with a repository and some supervisors."""

    folder: Path
    home: Path
    supervisors: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def repository(self) -> Path:
        return self.folder / "shop"

    def project(self, *acts: str, **allowed: object) -> Project:
        """Return a project whose agent does these things in turn."""
        project = make_project()
        command = [sys.executable, "agent_at_work.py", *acts]
        switch_on(project, self.repository, agents=["command"], command=command, **allowed)
        return project

    def queue(
        self, *acts: str, task: Task | None = None, allowed: dict[str, Any] | None = None, **limits: float
    ) -> Run:
        task = task or make_task(self.project(*acts, **(allowed or {})), is_ready=True)
        return make_run(task, agent="command", communication="file", limits={**LIMITS, **limits})

    def start(self) -> subprocess.Popen[bytes]:
        environment = {**os.environ, **shared_database(), "ORCHESTRATOR_HOME": str(self.home)}
        with (self.folder / f"supervisor-{len(self.supervisors)}").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "manage.py", "agents"], cwd=ROOT, env=environment, stdout=log, stderr=log
            )
        self.supervisors.append(process)
        return process

    def wait_for(self, run: Run, *states: str) -> Run:
        def is_there() -> bool:
            run.refresh_from_db()
            return run.state in states or (bool(run.ended_at) and not states)

        try:
            wait_until(is_there, f"{run.public_id} {states or 'ended'}")
        except AssertionError as error:
            error.add_note(f"It is {run.state}: {run.reason}\n{self.written()}")
            raise
        return run

    def written(self) -> str:
        return "".join(log.read_text() for log in self.folder.glob("supervisor-*"))

    def worktree(self, run: Run) -> Path:
        return self.home / "worktrees" / run.public_id

    def git(self, *words: str) -> str:
        return git(self.repository, *words)

    def left_of(self, run: Run) -> list[int]:
        """Return the processes of a run that live."""
        return [process.pid for process in psutil.process_iter() if self._is_of(process, run)]

    def _is_of(self, process: psutil.Process, run: Run) -> bool:
        try:
            return process.environ().get("ORCHESTRATOR_RUN") == run.public_id and process.status() != "zombie"
        except psutil.Error:
            return False


def git(folder: Path, *words: str) -> str:
    who = {"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org"}
    who |= {name.replace("AUTHOR", "COMMITTER"): value for name, value in who.items()}
    alone = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    command = ["git", "-C", str(folder), *words]
    return subprocess.run(
        command, env={**os.environ, **who, **alone}, check=True, capture_output=True, text=True
    ).stdout


def without(folder: Path, program: str) -> Path:
    """Return a folder with all programs of PATH but one."""
    folder.mkdir()
    for place in reversed(os.environ["PATH"].split(os.pathsep)):
        for each in Path(place).iterdir() if Path(place).is_dir() else ():
            if each.name != program:
                (folder / each.name).unlink(missing_ok=True)
                (folder / each.name).symlink_to(each)
    return folder


@contextmanager
def supervised(folder: Path) -> Iterator[Supervised]:
    made = Supervised(folder, folder / "home")
    made.home.mkdir(mode=0o700)
    made.repository.mkdir()
    git(made.repository, "init", "-q", "-b", "main")
    (made.repository / "README").write_text("A shop\n")
    shutil.copy(AGENT, made.repository)
    git(made.repository, "add", ".")
    git(made.repository, "commit", "-q", "-m", "Begin")
    site = ThreadingHTTPServer(("127.0.0.1", 0), Healthy)
    Thread(target=site.serve_forever, daemon=True).start()
    (made.home / "site_address").write_text(f"http://127.0.0.1:{site.server_port}")
    try:
        yield made
    finally:
        site.shutdown()
        site.server_close()
        for process in made.supervisors:
            process.send_signal(signal.SIGTERM)
        for process in made.supervisors:
            process.wait(30)
