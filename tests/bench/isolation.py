"""Eight subtasks in one session, and each in an agent of its own: real Claude Code, a model that plays a script.

Tokens are bytes of the requests by four, all paid for, since nothing is cached.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise
from statistics import mean
from threading import Event, Thread

import psutil

from tasks.agents.choices import RunState
from tasks.agents.models import Run
from tasks.agents.selectors.supervisors import present
from tasks.agents.services.isolation import set_isolation
from tests.agents.supervised import git
from tests.bench.context import Bench
from tests.bench.figures import Figure
from tests.bench.loop import work_text
from tests.clients.installed import missing
from tests.clients.isolated import ADA, Isolated, isolated
from tests.clients.model.__main__ import BYTES_PER_TOKEN
from tests.clients.model.script import Json
from tests.clients.network import ROOT, offline
from tests.clients.programs import claude_code, stdio_entry
from tests.site.processes import wait_until

SUBTASKS = 8
READS = 6
READ_CHARACTERS = 8_000
PARALLEL = (1, 2, 4)
WINDOW = 200_000
"""Tokens that the window of the model holds, as Claude Code counts on."""
THINKING_SECONDS = 0.5
MODEL = "claude-sonnet-4-5"
AT_WORK = r'"(queued|preparing|running|asking|rate_limited|stopping|collecting)":\d'
PROMPT = "Plan the eight parts, have them done {how}, and put them together."
SAMPLE_SECONDS = 0.5


def isolation(bench: Bench) -> Iterator[Figure]:
    """Measure where Claude Code is installed."""
    if missing():
        yield Figure("isolation: not run, since Claude Code is not installed", 0, "", note="tests/clients/install.sh")
        return
    seconds = 0.1 if bench.quick else THINKING_SECONDS
    options = ("--count", "--seconds", str(seconds))
    with offline() as network, isolated(network, *options, up=("--no-worker",)) as site, _agents(site):
        _prepare(site)
        one = _measured(site, "in one session", _one_session("in one session"))
        several = [_isolated(site, parallel) for parallel in PARALLEL]
    yield from _conversations(one, several[0])
    yield from _totals(one, several[0])
    yield from _times(one, several, seconds)


@dataclass(slots=True)
class Measured:
    """One way to do all of it: the requests of the main conversation and of each agent, in tokens."""

    main: list[int]
    agents: list[list[int]]
    cost_usd: float
    seconds: float
    memory_mb: float

    @property
    def growth(self) -> float:
        return (self.main[-1] - self.main[0]) / SUBTASKS

    @property
    def wait(self) -> float:
        """What the main conversation grows by with each wait; before them come three calls, and one after."""
        return mean(later - before for before, later in pairwise(self.main[3:-1]))

    @property
    def fitting(self) -> float:
        return (WINDOW - self.main[0]) / self.growth

    @property
    def total(self) -> int:
        return sum(self.main) + sum(map(sum, self.agents))


def _conversations(one: Measured, isolated: Measured) -> Iterator[Figure]:
    yield Figure("isolation: main conversation at first, one session", one.main[0], "tokens")
    yield Figure("isolation: main conversation at first, isolated", isolated.main[0], "tokens")
    yield Figure("isolation: its growth per subtask, one session", one.growth, "tokens")
    yield Figure("isolation: its growth per subtask, isolated", isolated.growth, "tokens")
    share = isolated.growth / one.growth
    yield Figure("isolation: of the growth in one session", share, "", goal=1 / 50)
    often = "one for each 50 s that runs last, and for each that asks or fails"
    yield Figure("isolation: of it, each wait for the runs", isolated.wait, "tokens", note=often)
    yield Figure("isolation: largest window, one session", max(one.main), "tokens")
    yield Figure("isolation: largest window, isolated, main conversation", max(isolated.main), "tokens")
    largest = max(map(max, isolated.agents))
    yield Figure("isolation: largest window, isolated, an agent", largest, "tokens")
    cannot = "reckoned from the growth; nothing is said of quality, as the model plays a script"
    yield Figure(f"isolation: subtasks until {WINDOW:,} tokens are full, one session", one.fitting, "", note=cannot)
    yield Figure(f"isolation: subtasks until {WINDOW:,} tokens are full, isolated", isolated.fitting, "", note=cannot)


def _totals(one: Measured, isolated: Measured) -> Iterator[Figure]:
    small = "small subtasks get dearer"
    yield Figure("isolation: what an agent is sent before it begins", isolated.agents[0][0], "tokens", note=small)
    yield Figure("isolation: all tokens sent, one session", one.total, "tokens")
    yield Figure("isolation: all tokens sent, isolated", isolated.total, "tokens")
    cached = "at list price; nothing cached, which would make the difference smaller"
    yield Figure("isolation: cost, one session", one.cost_usd, "USD", note=cached)
    yield Figure("isolation: cost, isolated", isolated.cost_usd, "USD", note=cached)


def _times(one: Measured, several: list[Measured], seconds: float) -> Iterator[Figure]:
    thought = f"the model thinks {seconds} s about each answer"
    yield Figure("isolation: all of it, one session", one.seconds, "s", note=thought)
    for parallel, each in zip(PARALLEL, several, strict=True):
        yield Figure(f"isolation: all of it, isolated, {parallel} at once", each.seconds, "s", note=thought)
    yield Figure("isolation: memory at most, one session (PSS)", one.memory_mb, "MB")
    for parallel, each in zip(PARALLEL, several, strict=True):
        note = "with the main session"
        yield Figure(f"isolation: memory at most, isolated, {parallel} at once (PSS)", each.memory_mb, "MB", note=note)


# The two ways


def _isolated(site: Isolated, parallel: int) -> Measured:
    set_isolation(project=site.shop, actor=ADA, is_on=True, settings={"parallel": parallel, "plan_cost_usd": 1000})
    how = f"by {parallel} at once"
    for number in range(SUBTASKS):
        site.stage.play(_title(number, how), *_reads(number), _delivery(number, task_id="{{brief.task_id}}"), _DONE)
    return _measured(site, how, _main_of_isolated(how))


def _measured(site: Isolated, how: str, script: list[Json]) -> Measured:
    site.stage.play(how, *script)
    entry = stdio_entry(
        sys.executable, ROOT / "manage.py", "--toolsets", "core,isolation",
        ORCHESTRATOR_HOME=str(site.home), DATABASE_URL=site.environment["DATABASE_URL"],
    )  # fmt: skip
    stage = replace(site.stage, seconds=600)
    with _Memory() as memory:
        began = time.monotonic()
        ran = claude_code(stage, entry, prompt=PROMPT.format(how=how), turns=200)
        seconds = time.monotonic() - began
    assert ran.exit_code == 0, ran.err + ran.out
    runs = list(Run.objects.filter(task__title__endswith=how).select_related("task"))
    assert all(run.state == RunState.SUCCEEDED for run in runs), [(run.state, run.reason) for run in runs]
    asked = site.stage.requests
    agents = [_requests(asked, run.task.title) for run in runs]
    cost = ran.events[-1]["total_cost_usd"] + sum(float(run.cost_usd) for run in runs)
    return Measured(_requests(asked, PROMPT.format(how=how)), agents, cost, seconds, memory.peak)


def _requests(asked: list[Json], words: str) -> list[int]:
    """Return the tokens of each request of a conversation, which begins with these words."""
    found = []
    for request in asked:
        if "body" in request and request["path"].endswith("/messages") and request["body"].get("tools"):
            first = next(each for each in request["body"]["messages"] if each["role"] == "user")
            if words in str(first["content"]):
                found.append(request["size"] // BYTES_PER_TOKEN)
    return found


def _one_session(how: str) -> list[Json]:
    parts = [turn for number in range(SUBTASKS) for turn in _part(number)]
    return [*_plan(how), *parts, *_END]


def _part(number: int) -> list[Json]:
    claim = _call("execute_subtask", task_id=f"{{{{plan_task.subtasks.{number}.task_id}}}}")
    task, lease = "{{execute_subtask.task_id}}", "{{execute_subtask.lease_number}}"
    return [claim, *_reads(number), _delivery(number, task_id=task, lease_number=lease)]


def _main_of_isolated(how: str) -> list[Json]:
    plan = "{{plan_task.parent_task_id}}"
    start = _call("execute_subtask_isolated", parent_task_id=plan, model=MODEL)
    wait = _call("monitor_isolated_execution", task_id=plan, action="wait", cursor="{{last.cursor}}")
    return [*_plan(how), start, wait | {"while": AT_WORK}, *_END]


def _plan(how: str) -> list[Json]:
    about = "Read the six notes of this part, and write down all that follows from them."
    subtasks = [
        {"key": str(number), "title": _title(number, how), "description": about, "specialist_type": "researcher"}
        for number in range(SUBTASKS)
    ]
    return [_call("initialize_session"), _call("plan_task", description=f"All parts {how}", subtasks=subtasks)]


def _title(number: int, how: str) -> str:
    return f"Part {number + 1} {how}"


def _reads(number: int) -> list[Json]:
    return [
        {"text": "Next: Read.", "tool": "Read", "arguments": {"file_path": f"notes/{number}-{each}.md"}}
        for each in range(READS)
    ]


def _delivery(number: int, **names: str) -> Json:
    summary = "Done as described; what is left open stands at the end of the work."
    detailed = work_text(f"Part {number}")
    return _call("complete_subtask", **names, summary=summary, detailed_work=detailed, next_action="complete")


def _call(tool: str, **arguments: object) -> Json:
    return {"text": f"Next: {tool}.", "tool": f"orchestrator_{tool}", "arguments": arguments}


_DONE: Json = {"text": "Done."}
_END = [_call("synthesize_results", parent_task_id="{{plan_task.parent_task_id}}"), _DONE]


# What they need


def _prepare(site: Isolated) -> None:
    """Lay the notes into the repository, a file for each read: one that was read before is not shown again."""
    notes = site.repository / "notes"
    notes.mkdir()
    for number in range(SUBTASKS):
        for each in range(READS):
            line = f"Part {number}, note {each}: orders are read once, and every change is written in one place.\n"
            (notes / f"{number}-{each}.md").write_text((line * READ_CHARACTERS)[:READ_CHARACTERS])
    git(site.repository, "add", ".")
    git(site.repository, "commit", "-q", "-m", "Add notes")
    assert site.shop.root_path


@contextmanager
def _agents(site: Isolated) -> Iterator[None]:
    """Supervise agents, as many at once as are measured."""
    command = [*site.stage.network.words, sys.executable, "-m", "tests.bench.agents", str(max(PARALLEL))]
    with subprocess.Popen(command, cwd=ROOT, env=site.environment) as process:
        try:
            wait_until(present().exists, "the supervisor")
            yield
        finally:
            process.terminate()
            process.wait(30)


@dataclass(slots=True)
class _Memory:
    """The most memory that all clients took at a time, looked at now and then."""

    peak: float = 0
    _is_over: Event = field(default_factory=Event)
    _thread: Thread | None = None

    def __enter__(self) -> _Memory:
        self._thread = Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        assert self._thread
        self._thread.join()

    def _look(self) -> None:
        while not self._is_over.wait(SAMPLE_SECONDS):
            below = psutil.Process().children(recursive=True)
            self.peak = max(self.peak, sum(map(_pss_mb, below)))


def _pss_mb(process: psutil.Process) -> float:
    """Return the memory of a client, 0 for any other process and for one that has just exited."""
    with suppress(psutil.Error):
        if process.name() == "claude":
            return float(process.memory_full_info().pss) / 1e6
    return 0
