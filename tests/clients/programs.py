"""How each client is configured: its model, its server, and no other connections."""

from __future__ import annotations

import json
from pathlib import Path

from tests.clients.installed import CLAUDE_CODE, CODEX, GEMINI_CLI, NODE_BIN
from tests.clients.model.script import Json
from tests.clients.scenario import PROMPT
from tests.clients.stage import Ran, Stage

SERVER = "board"
"""The name under which the clients know the server."""


def claude_code(
    stage: Stage, server: Json, *, prompt: str = PROMPT, turns: int = 30, tools: str = "", **environment: str
) -> Ran:
    """Run Claude Code on a prompt; `server` is its entry in the client's own form, `tools` are allowed besides it."""
    config = stage.write("servers.json", json.dumps({"mcpServers": {SERVER: server}}))
    return stage.run(
        CLAUDE_CODE,
        *("-p", prompt, "--output-format", "stream-json", "--verbose"),
        *("--mcp-config", config, "--strict-mcp-config", "--allowedTools", f"mcp__{SERVER}{tools and ','}{tools}"),
        *("--model", "claude-sonnet-4-5", "--max-turns", str(turns)),
        ANTHROPIC_BASE_URL=stage.model,
        ANTHROPIC_API_KEY="none",
        CLAUDE_CONFIG_DIR=str(stage.home / ".claude"),
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1",
        DISABLE_AUTOUPDATER="1",
        DISABLE_TELEMETRY="1",
        DISABLE_ERROR_REPORTING="1",
        DISABLE_BUG_COMMAND="1",
        ENABLE_TOOL_SEARCH="false",
        MCP_TIMEOUT="60000",
        **environment,
    )


def codex(stage: Stage, url: str, token: str, *, model: str) -> Ran:
    """Run Codex on the prompt, with the server at an address; the model's name says it how to offer tools."""
    stage.write(".codex/config.toml", CODEX_CONFIG.format(model=stage.model, server=SERVER, url=url))
    return stage.run(
        *(NODE_BIN / "node", CODEX, "exec", "--json", "--skip-git-repo-check", "--model", model, PROMPT),
        CODEX_HOME=str(stage.home / ".codex"),
        MODEL_KEY="none",
        BOARD_TOKEN=token,
    )


CODEX_CONFIG = """
model_provider = "scripted"
check_for_update_on_startup = false
tool_output_token_limit = 10000

[analytics]
enabled = false

[features]
apps = false
plugins = false

[model_providers.scripted]
name = "scripted"
base_url = "{model}/v1"
wire_api = "responses"
env_key = "MODEL_KEY"
request_max_retries = 0
stream_max_retries = 0
supports_websockets = false

[mcp_servers.{server}]
url = "{url}"
bearer_token_env_var = "BOARD_TOKEN"
startup_timeout_sec = 60
required = true
default_tools_approval_mode = "approve"
"""


def gemini_cli(stage: Stage, url: str, token: str) -> Ran:
    """Run Gemini CLI on the prompt, with the server at an address."""
    entry = {"httpUrl": url, "headers": {"Authorization": f"Bearer {token}"}, "trust": True}
    stage.write(".gemini/settings.json", json.dumps(GEMINI_SETTINGS | {"mcpServers": {SERVER: entry}}))
    return stage.run(
        *(NODE_BIN / "node", GEMINI_CLI, "-p", PROMPT, "--output-format", "stream-json", "--approval-mode", "yolo"),
        GEMINI_API_KEY="none",
        GOOGLE_GEMINI_BASE_URL=stage.model,
        GEMINI_CLI_NO_RELAUNCH="true",
        NO_BROWSER="1",
    )


GEMINI_SETTINGS: Json = {
    "telemetry": {"enabled": False},
    "privacy": {"usageStatisticsEnabled": False},
    "general": {"enableAutoUpdate": False},
    "security": {"auth": {"selectedType": "gemini-api-key"}, "folderTrust": {"enabled": False}},
}


def stdio_entry(python: str, manage: Path, *options: str, **environment: str) -> Json:
    """Return a server that Claude Code starts by itself."""
    return {"type": "stdio", "command": python, "args": [str(manage), "mcp_serve", *options], "env": environment}


def http_entry(url: str, token: str) -> Json:
    """Return a server that Claude Code finds at an address."""
    return {"type": "http", "url": url, "headers": {"Authorization": f"Bearer {token}"}}
