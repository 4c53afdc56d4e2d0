"""Codex: one exchange per process, whose end is the end of its standard input."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from orchestrator_site.kernel.errors import Invalid
from tasks.agents.adapters import events
from tasks.agents.adapters.base import Adapter, Conversation, Supports, Tested, known
from tasks.agents.adapters.events import Event, Reason, Usage
from tasks.agents.adapters.jobs import BOARD, Job, Launch, Rights
from tasks.agents.adapters.values import Value, cut, summary

_TOKEN_NAME = "ORCHESTRATOR_BOARD_TOKEN"  # noqa: S105
_ARGUMENT_LIMIT = 100_000
_RETRY = re.compile(r"Reconnecting\D*(\d+)/(\d+)")
_ITEMS = {"command_execution", "file_change", "mcp_tool_call", "web_search"}
_COMPLAINTS = {
    "usage limit": Reason.RATE_LIMITED,
    "rate limit": Reason.RATE_LIMITED,
    "429": Reason.RATE_LIMITED,
    "401": Reason.NO_LOGIN,
    "context window": Reason.CONTEXT_FULL,
    "no rollout found": Reason.NO_SESSION,
    "required MCP servers": Reason.NO_BOARD,
}


class Codex(Adapter):
    name = "codex"
    title = "Codex"
    executables = ("codex",)
    tested = Tested("0.169.0", "0.171.0")
    supports = Supports(resume=True, fork=True, board=True)
    memory_mb = 160
    secrets = ("CODEX_API_KEY", "OPENAI_API_KEY")
    login_files = (".codex/auth.json",)

    def launch(self, job: Job) -> Launch:
        """Raises Invalid where the rules are too long for an argument. It cannot ask, and denies instead."""
        self.check(job)
        if len(job.rules.encode()) > _ARGUMENT_LIMIT:
            raise Invalid(f"Codex takes rules of {_ARGUMENT_LIMIT:,} bytes.", next="Move what is long into the task.")
        argv = (
            *(job.executable, "exec", "--json", "--skip-git-repo-check", "--ignore-rules", "-C", str(job.worktree)),
            *_sandbox(job),
            *((f"--model={job.model}",) if job.model else ()),
            *(word for name, value in _config(job) for word in ("-c", f"{name}={json.dumps(value)}")),
            *(("fork" if job.fork else "resume", job.session_id) if job.resume else ()),
            "-",
        )
        home = job.home / ".codex"
        token = {_TOKEN_NAME: job.board.token} if job.board else {}
        environment = self.environment(job, CODEX_HOME=str(home), **token)
        return Launch(argv, job.worktree, environment, {}, stdin_stays_open=False, folders=(home,))

    def conversation(self, job: Job) -> Conversation:
        return CodexConversation(job)


def _sandbox(job: Job) -> tuple[str, ...]:
    if job.rights is Rights.BYPASS:
        return ("--dangerously-bypass-approvals-and-sandbox",)
    return ("--sandbox", "workspace-write")


def _config(job: Job) -> Iterator[tuple[str, object]]:
    """JSON is TOML as far as these values go."""
    yield "approval_policy", "never"
    yield "check_for_update_on_startup", False
    yield "analytics.enabled", False
    yield "features.apps", False
    yield "features.plugins", False
    yield "shell_environment_policy.exclude", ["*KEY*", "*TOKEN*", "*SECRET*"]
    yield "developer_instructions", job.rules
    if job.board:
        yield f"mcp_servers.{BOARD}.url", job.board.url
        yield f"mcp_servers.{BOARD}.bearer_token_env_var", _TOKEN_NAME
        yield f"mcp_servers.{BOARD}.startup_timeout_sec", 30
        yield f"mcp_servers.{BOARD}.required", True
        yield f"mcp_servers.{BOARD}.default_tools_approval_mode", "approve"


class CodexConversation(Conversation):
    title = Codex.title

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._said = ""
        self._open: set[str] = set()

    def opening(self) -> list[bytes]:
        return [self.job.brief.encode()]

    def _read(self, message: Value) -> Iterator[Event]:
        match message["type"].text:
            case "thread.started":
                yield events.Started(message["thread_id"].text, self.job.model, board=True if self.job.board else None)
            case "turn.started":
                yield events.Turn()
            case "item.started":
                yield from self._read_start(message["item"])
            case "item.completed":
                yield from self._read_item(message["item"])
            case "error":
                yield _trouble(message["message"].text)
            case "turn.completed":
                yield self._count(message["usage"])
                yield events.Ended(True, Reason.DONE, self._said)
            case "turn.failed":
                text = message["error"]["message"].text
                yield events.Ended(False, known(text, _COMPLAINTS) or Reason.MODEL_FAILED, text)

    def _read_start(self, item: Value) -> Iterator[Event]:
        kind, item_id = item["type"].text, item["id"].text
        if kind in _ITEMS and item_id not in self._open:
            self._open.add(item_id)
            yield events.ToolUse(item_id, item["tool"].text or kind, _summary(item))

    def _read_item(self, item: Value) -> Iterator[Event]:
        match item["type"].text:
            case "agent_message":
                self._said = item["text"].text
                yield events.Said(self._said)
            case "error":
                yield events.Warned(item["message"].text)
            case kind if kind in _ITEMS:
                yield from self._read_start(item)
                self._open.discard(item["id"].text)
                yield events.ToolResult(item["id"].text, item["status"].text in ("failed", "declined"), _answer(item))
                yield events.Turn()  # it does not say when the model is asked again: after each result

    def _count(self, usage: Value) -> Usage:
        """Count from where earlier runs of the thread ended; its totals go back to its start, or its origin's."""
        spent = self.job.spent
        return Usage(
            max(usage["input_tokens"].count - spent.read_tokens, 0),
            max(usage["output_tokens"].count - spent.written_tokens, 0),
            max(usage["cached_input_tokens"].count - spent.cached_tokens, 0),
        )

    def _complaint(self, exit_code: int, stderr: str) -> Reason:
        code = {0: Reason.NO_RESULT, 2: Reason.BAD_CALL}.get(exit_code, Reason.ERROR)
        return known(stderr, _COMPLAINTS) or code


def _trouble(text: str) -> Event:
    if not text.startswith("Reconnecting"):
        return events.Warned(text)
    found = _RETRY.search(text)  # not where it waits for the network, which it does without end
    attempt, limit = (int(found[1][:9]), int(found[2][:9])) if found else (0, 0)
    return events.Retry(attempt, limit, 0, known(text, _COMPLAINTS) is Reason.RATE_LIMITED, text)


def _summary(item: Value) -> str:
    changes = [change["path"].text for change in item["changes"]]
    return cut(", ".join(changes)) or summary(item if "command" in item else item["arguments"])


def _answer(item: Value) -> str:
    parts = "\n".join(part["text"].text for part in item["result"]["content"])
    return cut(item["aggregated_output"].text or item["error"]["message"].text or parts)
