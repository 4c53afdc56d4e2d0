"""Streams that the real agents wrote against a scripted model, trimmed, and jobs to read them with."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from tasks.agents.adapters import ADAPTERS
from tasks.agents.adapters.base import Conversation
from tasks.agents.adapters.events import Event
from tasks.agents.adapters.jobs import Board, Job

STREAMS = Path(__file__).parent / "streams"
BOARD = Board("http://127.0.0.1:8000/mcp", "token-of-the-run")
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "de_DE.UTF-8",
    "HTTPS_PROXY": "http://proxy:3128",
    **dict.fromkeys(
        (
            "ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "COPILOT_GITHUB_TOKEN", "GITHUB_TOKEN", "GH_TOKEN",
            "AWS_SECRET_ACCESS_KEY", "CLAUDECODE", "CLAUDE_CODE_SESSION_ID", "SSH_AUTH_SOCK", "TMUX", "GIT_DIR",
            "HOME", "XDG_CONFIG_HOME", "ORCHESTRATOR_HOME", "DATABASE_URL", "PYTHONPATH", "NODE_OPTIONS", "LD_PRELOAD",
        ),
        "ours",
    ),
}  # fmt: skip


def job(**options: Any) -> Job:
    standard = {
        "run_id": "run_1",
        "brief": "Write the parser.",
        "rules": "Follow the rules.",
        "worktree": PurePosixPath("/data/worktrees/run_1"),
        "run_folder": PurePosixPath("/data/runs/run_1"),
        "home": PurePosixPath("/data/runs/run_1/home"),
        "executable": "/usr/bin/agent",
        "argv": ("agent",),
        "board": BOARD,
        "jailed": True,
        "environment": ENVIRONMENT,
    }
    return Job(**(standard | options))


def lines(agent: str, name: str) -> list[bytes]:
    return (STREAMS / agent / f"{name}.jsonl").read_bytes().splitlines(keepends=True)


def recorded() -> list[tuple[str, str]]:
    return sorted((file.parent.name, file.stem) for file in STREAMS.glob("*/*.jsonl"))


class Played(NamedTuple):
    events: list[Event]
    conversation: Conversation

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def play(agent: str, name: str, **options: Any) -> Played:
    """Feed a stream to a new conversation."""
    conversation = ADAPTERS[agent].conversation(job(**options))
    return Played([event for line in lines(agent, name) for event in conversation.feed(line)], conversation)
