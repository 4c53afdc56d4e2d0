"""A real site that starts the real clients as agents, on the database of the running tests."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil
from django.db import transaction

from tasks.agents.models import Run
from tasks.agents.processes import strays
from tasks.agents.services.start import Wish, start_runs
from tasks.choices import Status
from tasks.identity.actor import Actor
from tasks.models import Project, Task
from tests.agents.rows import switch_on
from tests.agents.supervised import Supervised, git
from tests.clients.installed import CLAUDE_CODE, CODEX, GEMINI_CLI, NODE_BIN
from tests.clients.model.script import Json
from tests.clients.network import Network
from tests.clients.stage import Stage, set_up
from tests.factories import make_project, make_task
from tests.site.processes import Site, shared_database, start

ADA = Actor(kind="person", name="ada")
MODEL_OPTIONS = ("--max-requests", "2000", "--max-seconds", "900")
# The model's address can only be set in the user's own configuration, which agents do not get.
CODEX_AT = """\
#!/bin/sh
exec node {codex} -c 'model_provider="scripted"' -c 'model_providers.scripted={{name="scripted", \
base_url="{model}/v1", wire_api="responses", env_key="OPENAI_API_KEY", request_max_retries=0, stream_max_retries=0, \
supports_websockets=false}}' "$@"
"""


@dataclass(kw_only=True)
class Isolated(Supervised):
    """The site, its agents, and a model that plays a script for each task."""

    stage: Stage
    site: Site
    environment: dict[str, str]

    def written(self) -> str:
        return self.site.err.read_text()

    @cached_property
    def shop(self) -> Project:
        """The project in which all agents may run."""
        project = make_project("shop")
        switch_on(project, self.repository, agents=["claude", "codex", "gemini"], plan_cost_usd="1000")
        return project

    def task(self, *turns: Json, **fields: Any) -> Task:
        """Make a task with what the model says to the agent that does it."""
        task = make_task(self.shop, is_ready=True, **fields)
        self.play(task, *turns)
        return task

    def play(self, task: Task, *turns: Json) -> None:
        """Let the model say this to the agent of a task."""
        self.stage.play(task.public_id, *turns)

    def hold(self, task: Task, results: int) -> Path:
        """Let the model say nothing after so many results, until the file that is returned is removed."""
        return self.stage.hold(results, task.public_id)

    def run(self, task: Task, agent: str = "claude", model: str = "", **limits: float | str) -> Run:
        """Start a run with limits that may be lower than those of a person."""
        with transaction.atomic():
            [run] = self.runs(task, agent=agent, model=model)
            Run.objects.filter(pk=run.pk).update(limits=run.limits | limits)
        return run

    def runs(self, *tasks: Task, **wish: Any) -> list[Run]:
        return start_runs(project=self.shop, actor=ADA, tasks=tasks, wish=Wish(**wish))

    @contextmanager
    def board_at(self, address: str) -> Iterator[None]:
        """Let the supervisor look for the board at another address."""
        file = self.home / "site_address"
        right = file.read_text()
        file.write_text(address)
        yield
        file.write_text(right)

    def seen(self, run: Run) -> list[Json]:
        """Return what the model was asked in a run."""
        lines = (self.stage.folder / "model/requests.jsonl").read_text().splitlines()
        return [json.loads(line)["body"] for line in lines if run.task.public_id in line and '"body"' in line]

    @property
    def up(self) -> int:
        """The process of the site that keeps its web server, its worker and its supervisor of agents."""
        own = psutil.Process(self.site.process.pid)
        return next(each.pid for each in [own, *own.children(recursive=True)] if "up" in each.cmdline()[2:3])

    def children(self) -> list[int]:
        return [each.pid for each in psutil.Process(self.up).children()]

    def left(self) -> list[str]:
        """Return what is left of all runs: processes, and tasks that are held."""
        ids = set(Run.objects.values_list("public_id", flat=True))
        held = Task.objects.filter(is_leaf=True, status=Status.ACTIVE).values_list("public_id", flat=True)
        return [*(each.name for each in strays(ids)), *held]


@contextmanager
def isolated(
    network: Network, *model_options: str, up: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> Iterator[Isolated]:
    """Start the site, with options of `up` and further variables, and the clients on its PATH."""
    # Codex cannot run commands where its folder is below the temporary one.
    folder = Path(tempfile.mkdtemp(dir="/var/tmp", prefix="isolated-"))
    try:
        with set_up(folder, network, *MODEL_OPTIONS, *model_options) as stage:
            _begin(stage.project)
            home = folder / "home"
            home.mkdir(mode=0o700)
            own = {"ORCHESTRATOR_HOME": str(home), **(environment or {})}
            variables = _environment(stage) | shared_database() | own
            words = ("manage.py", "up", "--port", "0", *up)
            with start(folder / "site", *words, through=network.words, environ=variables) as site:
                site.wait_until_greeted()
                yield Isolated(folder, home, stage=stage, site=site, environment=variables)
                site.end(signal.SIGTERM)
    finally:
        shutil.rmtree(folder)


def _begin(repository: Path) -> None:
    git(repository, "init", "-q", "-b", "main")
    (repository / "README").write_text("A shop\n")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "Begin")


def _environment(stage: Stage) -> dict[str, str]:
    """Return the environment of a user who has the clients and is signed in with each."""
    own = stage.folder / "bin"
    own.mkdir()
    codex = own / "codex"
    codex.write_text(CODEX_AT.format(codex=shlex.quote(str(CODEX)), model=stage.model))
    codex.chmod(0o755)
    programs = (own, CLAUDE_CODE.parent, NODE_BIN, CODEX.parents[3], GEMINI_CLI.parents[3] / ".bin")
    path = os.pathsep.join([*map(str, programs), stage.environment["PATH"]])
    keys = dict.fromkeys(("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY"), "key-of-nobody")
    addresses = dict.fromkeys(("ANTHROPIC_BASE_URL", "GOOGLE_GEMINI_BASE_URL"), stage.model)
    return stage.environment | {"PATH": path} | keys | addresses
