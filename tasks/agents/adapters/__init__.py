"""How each coding agent is started, understood and answered: one file per agent, without input, output or a clock.

The supervisor probes `executables` with `version_argv`, asks `launch(job)` what to start, and keeps one
`conversation(job)` per run: it writes `opening()` to standard input, feeds every line of standard output, stores the
events, writes the lines of each `Send` and of `message`, `interrupt` and `answer`, and asks `judge` when the process is
gone. `launch` raises Invalid, `message` and `answer` raise Conflict; `feed` and `judge` never raise. A supervisor that
takes over makes a new conversation, feeds the same log from its start, and drops the `Send`s up to the stored offset.
"""

from __future__ import annotations

from collections.abc import Mapping

from tasks.agents.adapters.base import Adapter
from tasks.agents.adapters.claude import ClaudeCode
from tasks.agents.adapters.codex import Codex
from tasks.agents.adapters.command import Command
from tasks.agents.adapters.copilot import CopilotCli
from tasks.agents.adapters.gemini import GeminiCli
from tasks.agents.adapters.opencode import OpenCode

ADAPTERS: Mapping[str, Adapter] = {
    adapter.name: adapter for adapter in (ClaudeCode(), Codex(), GeminiCli(), CopilotCli(), OpenCode(), Command())
}
"""By name, in the order in which they are offered."""
