"""Gemini CLI, by the Agent Client Protocol.

It reaches the board from folders only that it trusts, and lets these override all settings but root's. So it starts in
an empty folder, and works in the worktree as in a further one, whose settings it does not read.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from tasks.agents.adapters.acp import AcpConversation
from tasks.agents.adapters.base import Adapter, Conversation, Supports, Tested
from tasks.agents.adapters.jobs import BOARD, Job, Launch, Rights

_RULES = "The project is in {worktree}. Work there: name its files by absolute paths, and run commands in that folder."


class GeminiCli(Adapter):
    name = "gemini"
    title = "Gemini CLI"
    executables = ("gemini",)
    tested = Tested("0.61.0", "0.61.0")
    supports = Supports(messages=True, interrupt=True, asks=True, board=True, max_turns=True)
    memory_mb = 755
    heeds_end = False
    secrets = ("GEMINI_API_KEY",)
    passed_on = ("GOOGLE_GEMINI_BASE_URL",)

    def launch(self, job: Job) -> Launch:
        self.check(job)
        files = {
            job.home / ".gemini/settings.json": json.dumps(_settings(job)),
            job.run_folder / "job/policy.toml": _policy(job),
            _empty(job) / ".gemini/.env": "",  # or it looks for one in every folder above
        }
        argv = (
            *(job.executable, "--acp", "--include-directories", str(job.worktree), "--extensions", "none"),
            *("--policy", str(job.run_folder / "job/policy.toml"), "--allowed-mcp-server-names", BOARD),
            *("--approval-mode", "yolo" if job.rights is Rights.BYPASS else "auto_edit"),
            *((f"--model={job.model}",) if job.model else ()),
        )
        environment = self.environment(job, GEMINI_CLI_NO_RELAUNCH="true", NO_BROWSER="1")
        return Launch(argv, _empty(job), environment, files, stdin_stays_open=True, folders=(_empty(job),))

    def conversation(self, job: Job) -> Conversation:
        rules = "\n\n".join(filter(None, (_RULES.format(worktree=job.worktree), job.rules)))
        return AcpConversation(replace(job, rules=rules, worktree=_empty(job)), self.title, servers=False)


def _empty(job: Job) -> PurePath:
    return job.run_folder / "empty"


def _settings(job: Job) -> dict[str, Any]:
    board = {BOARD: {"httpUrl": job.board.url, "headers": job.board.headers, "trust": True}} if job.board else {}
    return {
        "mcpServers": board,
        "security": {"auth": {"selectedType": "gemini-api-key"}, "folderTrust": {"enabled": False}},
        "model": {"maxSessionTurns": -1 if job.max_turns is None else job.max_turns},
        "general": {"enableAutoUpdate": False},
        "telemetry": {"enabled": False},
        "privacy": {"usageStatisticsEnabled": False},
    }


def _policy(job: Job) -> str:
    rule = '[[rule]]\ntoolName = "run_shell_command"\ncommandPrefix = {}\ndecision = "allow"\npriority = 200\n'
    return "\n".join(rule.format(json.dumps(command)) for command in job.commands)
