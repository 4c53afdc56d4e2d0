"""Agents at work in a repository that is out to get them, started as runs start them."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.agents.adapters import ADAPTERS
from tasks.agents.adapters.base import Conversation
from tasks.agents.adapters.events import Send
from tasks.agents.adapters.jobs import Board, Job, Launch
from tests.clients.hostile import lay
from tests.clients.installed import CLAUDE_CODE, CODEX, GEMINI_CLI, NODE_BIN
from tests.clients.programs import CODEX_CONFIG
from tests.clients.stage import Stage

PROGRAMS: dict[str, tuple[Path, ...]] = {
    "claude": (CLAUDE_CODE,),
    "codex": (NODE_BIN / "node", CODEX),
    "gemini": (NODE_BIN / "node", GEMINI_CLI),
}
NO_BOARD = Board("http://127.0.0.1:9/mcp", "none")
"""Nothing answers there; Codex would not start."""
MODELS = {"claude": "claude-sonnet-4-5", "codex": "unknown"}


@pytest.fixture
def marks(stage: Stage) -> Path:
    """Lay the traps, and return where those that spring leave a mark."""
    marks = stage.folder / "marks"
    marks.mkdir()
    lay(stage.project, marks, f"{stage.model}/evil")
    return marks


@pytest.mark.parametrize(
    ("agent", "board"),
    [("claude", None), ("codex", None), ("gemini", None), ("claude", NO_BOARD), ("gemini", NO_BOARD)],
    ids=["claude", "codex", "gemini", "claude with a board", "gemini with a board"],
)
def test_nothing_of_a_repository_runs_or_gets_a_key(stage: Stage, marks: Path, agent: str, board: Board | None) -> None:
    job = replace(_job(agent, stage), board=board)
    _run(stage, ADAPTERS[agent].launch(job), ADAPTERS[agent].conversation(job))
    assert [request for request in stage.requests if "body" in request]
    assert not list(marks.iterdir())
    assert not [request for request in stage.requests if "evil" in request["path"]]


def test_the_traps_would_spring(stage: Stage, marks: Path) -> None:
    job = _job("claude", stage)
    launch = ADAPTERS["claude"].launch(job)
    at = launch.argv.index("--setting-sources")
    careless = replace(launch, argv=launch.argv[:at] + launch.argv[at + 2 :])
    _run(stage, careless, ADAPTERS["claude"].conversation(job))
    assert (marks / "claude-hook").exists()
    assert [request for request in stage.requests if "evil" in request["path"]]


def _job(agent: str, stage: Stage) -> Job:
    config = CODEX_CONFIG.partition("[mcp_servers")[0].format(model=stage.model)
    stage.write(".codex/config.toml", config)
    keys = dict.fromkeys(("ANTHROPIC_API_KEY", "GEMINI_API_KEY"), "none")
    addresses = dict.fromkeys(("ANTHROPIC_BASE_URL", "GOOGLE_GEMINI_BASE_URL"), stage.model)
    return Job(
        run_id=f"run_{agent}",
        brief="Do it.",
        worktree=stage.project,
        run_folder=stage.folder / "run",
        home=stage.home,
        executable=str(PROGRAMS[agent][0]),
        model=MODELS.get(agent, ""),
        environment=stage.environment | keys | addresses,
        variables={"MODEL_KEY": "none"},
    )


def _run(stage: Stage, launch: Launch, conversation: Conversation) -> None:
    """Run an agent until it has asked the model, who has no answer to this."""
    for folder in launch.folders:
        Path(folder).mkdir(parents=True, exist_ok=True)
    for path, content in launch.files.items():
        Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        Path(path).write_text(content)
    program = PROGRAMS[conversation.job.run_id.removeprefix("run_")]
    words = [*stage.network.words, *map(str, program), *launch.argv[1:]]
    with subprocess.Popen(
        words, cwd=launch.folder, env=dict(launch.environment), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, start_new_session=True,
    ) as process:  # fmt: skip
        _talk(process, launch, conversation)


def _talk(process: subprocess.Popen[bytes], launch: Launch, conversation: Conversation) -> None:
    assert process.stdin and process.stdout
    process.stdin.writelines(conversation.opening())
    process.stdin.flush() if launch.stdin_stays_open else process.stdin.close()
    try:
        while not conversation.ended and (line := process.stdout.readline()):
            for event in conversation.feed(line):
                if isinstance(event, Send):
                    process.stdin.writelines(event.lines)
                    process.stdin.flush()
    finally:
        os.killpg(process.pid, signal.SIGKILL)
