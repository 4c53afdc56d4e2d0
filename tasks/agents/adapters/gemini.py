"""Gemini CLI, by the Agent Client Protocol."""

from __future__ import annotations

import json
from typing import Any

from tasks.agents.adapters.acp import AcpConversation
from tasks.agents.adapters.base import Adapter, Conversation, Supports, Tested
from tasks.agents.adapters.jobs import BOARD, Job, Launch, Rights

_BLANK = (
    "GOOGLE_GEMINI_BASE_URL", "GOOGLE_VERTEX_BASE_URL", "GOOGLE_API_KEY", "GOOGLE_GENAI_USE_VERTEXAI",
    "GEMINI_CLI_CUSTOM_HEADERS", "GEMINI_TELEMETRY_ENABLED", "GEMINI_SYSTEM_MD", "GEMINI_WRITE_SYSTEM_MD",
    "GEMINI_SANDBOX", "NODE_OPTIONS", "NODE_TLS_REJECT_UNAUTHORIZED", "CLOUD_SHELL",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy",
)  # fmt: skip


class GeminiCli(Adapter):
    name = "gemini"
    title = "Gemini CLI"
    executables = ("gemini",)
    tested = Tested("0.61.0", "0.61.0")
    supports = Supports(messages=True, interrupt=True, asks=True, board=True, max_turns=True)
    memory_mb = 755
    secrets = ("GEMINI_API_KEY",)
    passed_on = ("GOOGLE_GEMINI_BASE_URL",)

    def launch(self, job: Job) -> Launch:
        self.check(job)
        files = {
            job.run_folder / "agent/settings.json": json.dumps(_settings(job)),
            job.run_folder / "agent/policy.toml": _policy(job),
        }
        settings, policy = map(str, files)
        argv = (
            *(
                job.executable,
                "--acp",
                "--allowed-mcp-server-names",
                _server(job),
                "--policy",
                policy,
                "--extensions",
                "none",
            ),
            *("--approval-mode", "yolo" if job.rights is Rights.BYPASS else "auto_edit"),
            *((f"--model={job.model}",) if job.model else ()),
        )
        # The board is reached from trusted folders only. There, the repository's settings give way to the system's
        # alone, and the variables in its .gemini/.env to those that are set, be it to nothing.
        own = {"GEMINI_CLI_SYSTEM_SETTINGS_PATH": settings, "GEMINI_CLI_NO_RELAUNCH": "true", "NO_BROWSER": "1"}
        environment = dict.fromkeys(_BLANK, "") | self.environment(job, **own)
        return Launch(argv, job.worktree, environment, files, stdin_stays_open=True)

    def conversation(self, job: Job) -> Conversation:
        return AcpConversation(job, self.title, servers=False)


def _server(job: Job) -> str:
    """Return the one server that may be reached: without a board, a name that no repository can know."""
    return BOARD if job.board else job.run_id


def _settings(job: Job) -> dict[str, Any]:
    board = {BOARD: {"httpUrl": job.board.url, "headers": job.board.headers, "trust": True}} if job.board else {}
    return {
        "mcpServers": board,
        "security": {"auth": {"selectedType": "gemini-api-key"}, "folderTrust": {"enabled": False}},
        "tools": {"discoveryCommand": "", "callCommand": "", "sandbox": False},
        "mcp": {"serverCommand": "", "allowed": [_server(job)]},
        "advanced": {"ignoreLocalEnv": True},
        "hooksConfig": {"enabled": False},
        "model": {"maxSessionTurns": -1 if job.max_turns is None else job.max_turns},
        "general": {"enableAutoUpdate": False},
        "telemetry": {"enabled": False},
        "privacy": {"usageStatisticsEnabled": False},
    }


def _policy(job: Job) -> str:
    """The repository's rules are weaker than these, so the last one keeps it from allowing itself more."""
    rule = '[[rule]]\ntoolName = "run_shell_command"\n{}decision = "{}"\npriority = {}\n'
    allowed = [rule.format(f"commandPrefix = {json.dumps(command)}\n", "allow", 200) for command in job.commands]
    return "\n".join([*allowed, *([] if job.rights is Rights.BYPASS else [rule.format("", "ask_user", 100)])])
