"""Claude Code, by lines of JSON on both of its pipes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tasks.agents.adapters import events
from tasks.agents.adapters.base import Adapter, Conversation, Supports, Tested, as_prompt, known
from tasks.agents.adapters.events import NOTHING, Event, Reason, Usage
from tasks.agents.adapters.jobs import BOARD, Job, Launch, Rights
from tasks.agents.adapters.values import Value, cut, line, summary

_MODES = {Rights.DENY: "acceptEdits", Rights.ASK: "acceptEdits", Rights.BYPASS: "bypassPermissions"}
_QUIET = dict.fromkeys(
    (
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "DISABLE_AUTOUPDATER", "DISABLE_TELEMETRY",
        "DISABLE_ERROR_REPORTING", "DISABLE_BUG_COMMAND",
        "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS",  # they keep the process alive after its result
    ),
    "1",
)  # fmt: skip
_BUSY = (429, 529)
_SUBTYPES = {"error_max_turns": Reason.MAX_TURNS, "error_max_budget_usd": Reason.MAX_COST}
_TERMINALS = {
    "prompt_too_long": Reason.CONTEXT_FULL,
    "aborted_tools": Reason.INTERRUPTED,
    "aborted_streaming": Reason.INTERRUPTED,
}
_COMPLAINTS = {"No conversation found": Reason.NO_SESSION, "already in use": Reason.NO_SESSION}


class ClaudeCode(Adapter):
    name = "claude"
    title = "Claude Code"
    executables = ("claude",)
    tested = Tested("2.1.330", "2.1.332")
    supports = Supports(
        choose_id=True, resume=True, fork=True, messages=True, interrupt=True, asks=True, cost=True, context=True,
        board=True, max_turns=True, max_cost=True,
    )  # fmt: skip
    memory_mb = 215
    secrets = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN")
    login_files = (".claude/.credentials.json",)
    passed_on = ("ANTHROPIC_BASE_URL",)

    def launch(self, job: Job) -> Launch:
        self.check(job)
        files = {
            job.run_folder / "job/mcp.json": json.dumps({"mcpServers": _servers(job)}),
            job.run_folder / "job/settings.json": json.dumps({"permissions": {"allow": _allowed(job)}}),
            job.run_folder / "job/rules.md": job.rules,
        }
        servers, settings, rules = map(str, files)
        argv = (
            *(job.executable, "-p", "--verbose", "--input-format", "stream-json", "--output-format", "stream-json"),
            # Without these two the repository's own settings run its programs, and send the key where it likes.
            *("--setting-sources", "", "--strict-mcp-config"),
            *("--mcp-config", servers, "--settings", settings, "--append-system-prompt-file", rules),
            *("--permission-mode", _MODES[job.rights]),
            *(("--permission-prompt-tool", "stdio") if job.rights is Rights.ASK else ()),
            *_session(job),
            *_limits(job),
        )
        own = _QUIET | {"CLAUDE_CONFIG_DIR": str(job.home / ".claude"), "ENABLE_TOOL_SEARCH": "false"}
        own |= {"MCP_TIMEOUT": "30000", "MCP_TOOL_TIMEOUT": "120000"}
        if job.rights is Rights.BYPASS:
            own["IS_SANDBOX"] = "1"  # or it does not start as root
        return Launch(argv, job.worktree, self.environment(job, **own), files, stdin_stays_open=True)

    def conversation(self, job: Job) -> Conversation:
        return ClaudeConversation(job)


def _servers(job: Job) -> dict[str, Any]:
    if job.board is None:
        return {}
    return {BOARD: {"type": "http", "url": job.board.url, "headers": job.board.headers}}


def _allowed(job: Job) -> list[str]:
    return [f"mcp__{BOARD}", *(f"Bash({command}:*)" for command in job.commands)]


def _session(job: Job) -> Iterator[str]:
    if job.resume:
        yield f"--resume={job.session_id}"
    if job.fork:
        yield "--fork-session"
    elif job.session_id and not job.resume:
        yield f"--session-id={job.session_id}"


def _limits(job: Job) -> Iterator[str]:
    if job.model:
        yield f"--model={job.model}"
    if job.max_turns is not None:
        yield f"--max-turns={job.max_turns}"
    if job.max_cost_usd is not None:
        yield f"--max-budget-usd={job.max_cost_usd}"


class ClaudeConversation(Conversation):
    title = ClaudeCode.title

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._inputs: dict[str, Any] = {}
        self._message_id = ""
        self._error = ""
        self._settled = NOTHING
        self._running = NOTHING

    @property
    def takes_messages(self) -> bool:
        return not self._has_failed

    def opening(self) -> list[bytes]:
        return self.message(self.job.brief)

    def message(self, text: str) -> list[bytes]:
        if not self.takes_messages:
            return super().message(text)
        self._end = None
        return [line({"type": "user", "message": {"role": "user", "content": as_prompt(text)}})]

    def interrupt(self) -> list[bytes]:
        return [line({"type": "control_request", "request_id": "interrupt", "request": {"subtype": "interrupt"}})]

    def answer(self, ask_id: str, *, allow: bool, reason: str = "") -> list[bytes]:
        if ask_id not in self._inputs:
            return super().answer(ask_id, allow=allow, reason=reason)
        given = self._inputs.pop(ask_id)
        verdict = {"behavior": "allow", "updatedInput": given} if allow else {"behavior": "deny", "message": reason}
        return [_response(ask_id, subtype="success", response=verdict)]

    def _read(self, message: Value) -> Iterator[Event]:
        match message["type"].text:
            case "system":
                yield from self._read_system(message)
            case "assistant":
                yield from self._read_assistant(message)
            case "user":
                yield from _results(message["message"]["content"])
            case "result":
                yield from self._read_result(message)
            case "rate_limit_event":
                yield from _limit(message["rate_limit_info"])
            case "control_request":
                yield from self._read_request(message["request_id"].text, message["request"])
            case "control_cancel_request":
                if self._inputs.pop(ask_id := message["request_id"].text, None) is not None:
                    yield events.Withdrawn(ask_id)

    def _read_system(self, message: Value) -> Iterator[Event]:
        match message["subtype"].text:
            case "init":
                session_id, version = message["session_id"].text, message["claude_code_version"].text
                yield events.Started(
                    session_id, message["model"].text, version, _board(message) if self.job.board else None
                )
            case "api_retry":
                busy = message["error_status"].count in _BUSY or message["error"].text in ("rate_limit", "overloaded")
                attempt, limit = message["attempt"].count, message["max_retries"].count
                yield events.Retry(attempt, limit, message["retry_delay_ms"].number / 1000, busy, message["error"].text)
            case "compact_boundary":
                sizes = message["compact_metadata"]
                yield events.Compacted(sizes["pre_tokens"].count, sizes["post_tokens"].count)
            case "permission_denied":
                yield events.Denied(message["tool_name"].text, message["message"].text)

    def _read_assistant(self, message: Value) -> Iterator[Event]:
        answer, is_main = message["message"], message["parent_tool_use_id"].raw is None
        if error := message["error"].text:
            self._error = error
        elif is_main and answer["id"].text != self._message_id:
            self._message_id = answer["id"].text  # a line for each block of one answer
            yield events.Turn()
            self._running = self._running.plus(_answered(answer["usage"]))
            yield self._settled.plus(self._running)
        for block in answer["content"]:
            if block["type"].text == "tool_use":
                yield events.ToolUse(block["id"].text, block["name"].text, summary(block["input"]))
            elif block["type"].text == "text" and is_main and block["text"].text:
                yield events.Said(block["text"].text)

    def _read_request(self, request_id: str, request: Value) -> Iterator[Event]:
        if request["subtype"].text == "can_use_tool":
            self._inputs[request_id] = request["input"].raw
            yield events.Asks(request_id, request["tool_name"].text, summary(request["input"]))
        else:
            yield events.Send((_response(request_id, subtype="error", error="This client cannot do that."),))

    def _read_result(self, message: Value) -> Iterator[Event]:
        # By model, for the other totals leave out what compaction cost; since the last result, for those by model go
        # back to the start of a session that was resumed.
        models = list(message["model_usage_since_last_result"].values)
        context = self._settled.plus(self._running).context
        self._settled = self._settled.plus(_settled(models, context) if models else self._running)
        self._running = NOTHING
        yield self._settled
        errors = "\n".join(error.text for error in message["errors"])
        text = message["result"].text or errors
        ok = message["subtype"].text == "success" and message["is_error"].raw is False
        if ok and message["stop_reason"].text == "refusal":
            yield events.Ended(False, Reason.DECLINED, text)
        else:
            yield events.Ended(ok, Reason.DONE if ok else self._why(message, text), text)

    def _why(self, message: Value, text: str) -> Reason:
        status = message["api_error_status"].count
        if status in _BUSY or self._error == "rate_limit":
            return Reason.RATE_LIMITED
        if status in (401, 403) or self._error == "authentication_failed":
            return Reason.NO_LOGIN
        if reason := _SUBTYPES.get(message["subtype"].text) or _TERMINALS.get(message["terminal_reason"].text):
            return reason
        failed = Reason.MODEL_FAILED if message["terminal_reason"].text == "api_error" else Reason.ERROR
        return known(text, _COMPLAINTS) or failed

    def _complaint(self, exit_code: int, stderr: str) -> Reason:
        return known(stderr, _COMPLAINTS) or (Reason.NO_RESULT if exit_code == 0 else Reason.BAD_CALL)


def _board(message: Value) -> bool:
    """Read whether our server is connected. While it is "pending" it is not; each turn says it again."""
    servers = ((server["name"].text, server["status"].text) for server in message["mcp_servers"])
    return (BOARD, "connected") in servers


def _answered(usage: Value) -> Usage:
    cached = usage["cache_read_input_tokens"].count
    context = usage["input_tokens"].count + cached + usage["cache_creation_input_tokens"].count
    return Usage(context, usage["output_tokens"].count, cached, context=context)


def _settled(models: list[Value], context: int | None) -> Usage:
    cached = sum(model["cacheReadInputTokens"].count for model in models)
    fresh = sum(model["inputTokens"].count + model["cacheCreationInputTokens"].count for model in models)
    written = sum(model["outputTokens"].count for model in models)
    cost = sum(model["costUSD"].number for model in models)
    window = max(model["contextWindow"].count for model in models)
    return Usage(fresh + cached, written, cached, cost, context, window or None)


def _results(content: Value) -> Iterator[Event]:
    for block in content:
        if block["type"].text == "tool_result":
            texts = [block["content"].text, *(part["text"].text for part in block["content"])]
            yield events.ToolResult(
                block["tool_use_id"].text, block["is_error"].raw is True, cut("\n".join(filter(None, texts)))
            )


def _limit(info: Value) -> Iterator[Event]:
    if info["status"].text == "rejected":
        yield events.RateLimited(info["resetsAt"].number or None)
    elif info["status"].text == "allowed_warning":
        yield events.Warned("The share of the account is nearly used up.")


def _response(request_id: str, **response: Any) -> bytes:
    return line({"type": "control_response", "response": {"request_id": request_id, **response}})
