"""How agents are started: with what rights, with which settings, and with nothing of ours."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestrator_site.kernel.errors import Invalid
from tasks.agents.adapters import ADAPTERS
from tasks.agents.adapters.jobs import Job, Launch, Rights
from tests.agents.recorded import BOARD, ENVIRONMENT, job

AGENTS = list(ADAPTERS)
HOSTILE = ["--dangerously-skip-permissions", "-x", "a b\n", "x;y", 'a"b', "$(id)", "`id`", "a)b", "\0", "a,--yolo\n"]


def launch(agent: str, **options: Any) -> Launch:
    return ADAPTERS[agent].launch(job(**options))


def text_of(launched: Launch, name: str) -> str:
    return next(text for path, text in launched.files.items() if path.name == name)


@pytest.mark.parametrize("agent", AGENTS)
def test_an_agent_gets_its_own_login_and_nothing_else_of_ours(agent: str) -> None:
    environment = launch(agent).environment
    ours = {name for name, value in environment.items() if value == "ours"}
    assert ours == set(ADAPTERS[agent].secrets) & set(ENVIRONMENT)
    assert (environment["HOME"], environment["ORCHESTRATOR_RUN"]) == ("/data/runs/run_1/home", "run_1")
    assert (environment["LANG"], environment["HTTPS_PROXY"]) == ("de_DE.UTF-8", "http://proxy:3128")


@pytest.mark.parametrize("agent", AGENTS)
def test_variables_of_the_job_are_added_but_do_not_replace_what_protects(agent: str) -> None:
    variables = {"PORT": "4100", "HOME": "/elsewhere", "ORCHESTRATOR_RUN": "other"}
    environment = launch(agent, variables=variables).environment
    assert (environment["PORT"], environment["HOME"]) == ("4100", "/data/runs/run_1/home")
    assert environment["ORCHESTRATOR_RUN"] == "run_1"


@pytest.mark.parametrize("agent", AGENTS)
def test_secrets_are_in_no_argument(agent: str) -> None:
    launched = launch(agent)
    assert not any(BOARD.token in word or "ours" in word for word in launched.argv)
    assert BOARD.token not in repr(launched) and BOARD.token not in repr(job())


@pytest.mark.parametrize("agent", AGENTS)
def test_files_lie_below_the_run_folder_or_the_home(agent: str) -> None:
    launched = launch(agent)
    assert all(path.is_relative_to("/data/runs/run_1") for path in (*launched.files, *launched.folders))
    assert str(launched.folder) == ("/data/runs/run_1/empty" if agent == "gemini" else "/data/worktrees/run_1")


@pytest.mark.parametrize("agent", AGENTS)
def test_a_brief_is_never_an_argument(agent: str) -> None:
    brief = "x" * 200_000
    launched = launch(agent, brief=brief)
    assert max(map(len, launched.argv)) < 10_000


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("where", ["model", "session_id", "commands"])
def test_a_value_that_could_be_an_option_is_invalid(where: str, value: str) -> None:
    with pytest.raises(Invalid):
        job(**{where: (value,) if where == "commands" else value})


@pytest.mark.parametrize("model", ["claude-sonnet-4-5", "claude-opus-4-8[1m]", "anthropic/claude-sonnet-4-5", "o3", ""])
def test_names_of_models_are_valid(model: str) -> None:
    assert job(model=model).model == model


def test_everything_is_allowed_in_a_jail_only() -> None:
    with pytest.raises(Invalid):
        job(rights=Rights.BYPASS, jailed=False)


@pytest.mark.parametrize("agent", ["copilot", "opencode"])
def test_what_runs_programs_of_the_repository_needs_the_jail(agent: str) -> None:
    with pytest.raises(Invalid):
        launch(agent, jailed=False)


@pytest.mark.parametrize("agent", ["gemini", "opencode", "command"])
def test_what_cannot_resume_says_so(agent: str) -> None:
    with pytest.raises(Invalid):
        launch(agent, resume=True, session_id="s")


@pytest.mark.parametrize("options", [{"resume": True}, {"fork": True, "session_id": "s"}])
def test_there_must_be_a_session_to_go_on_with(options: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        job(**options)


# Claude Code


def test_claude_reads_no_settings_of_the_repository() -> None:
    argv = launch("claude").argv
    assert argv[argv.index("--setting-sources") + 1] == ""
    assert "--strict-mcp-config" in argv


def test_claude_may_use_the_board_and_the_commands_that_are_allowed() -> None:
    launched = launch("claude", commands=("git diff", "make test"))
    allowed = json.loads(text_of(launched, "settings.json"))["permissions"]["allow"]
    assert allowed == ["mcp__board", "Bash(git diff:*)", "Bash(make test:*)"]
    server = json.loads(text_of(launched, "mcp.json"))["mcpServers"]["board"]
    assert (server["url"], server["headers"]) == (BOARD.url, {"Authorization": f"Bearer {BOARD.token}"})


@pytest.mark.parametrize(
    ("rights", "mode", "asks"),
    [
        (Rights.DENY, "acceptEdits", False),
        (Rights.ASK, "acceptEdits", True),
        (Rights.BYPASS, "bypassPermissions", False),
    ],
)
def test_rights_become_a_mode_of_claude(rights: Rights, mode: str, asks: bool) -> None:
    launched = launch("claude", rights=rights)
    assert launched.argv[launched.argv.index("--permission-mode") + 1] == mode
    assert ("--permission-prompt-tool" in launched.argv) is asks
    assert ("IS_SANDBOX" in launched.environment) is (rights is Rights.BYPASS)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"session_id": "s"}, {"--session-id=s"}),
        ({"session_id": "s", "resume": True}, {"--resume=s"}),
        ({"session_id": "s", "resume": True, "fork": True}, {"--resume=s", "--fork-session"}),
        ({"model": "m", "max_turns": 6, "max_cost_usd": 0.5}, {"--model=m", "--max-turns=6", "--max-budget-usd=0.5"}),
    ],
)
def test_claude_gets_its_session_and_limits(options: dict[str, Any], expected: set[str]) -> None:
    assert set(launch("claude", **options).argv) - set(launch("claude").argv) == expected


# Codex


def test_codex_keeps_keys_from_its_shells_and_commands_in_its_sandbox() -> None:
    launched = launch("codex")
    assert 'shell_environment_policy.exclude=["*KEY*", "*TOKEN*", "*SECRET*"]' in launched.argv
    assert launched.argv[launched.argv.index("--sandbox") + 1] == "workspace-write"
    assert launched.environment["ORCHESTRATOR_BOARD_TOKEN"] == BOARD.token
    assert "mcp_servers.board.required=true" in launched.argv


def test_codex_must_see_the_end_of_its_input() -> None:
    assert not launch("codex").stdin_stays_open
    assert ADAPTERS["codex"].conversation(job()).opening() == [b"Write the parser."]


@pytest.mark.parametrize(("fork", "word"), [(False, "resume"), (True, "fork")])
def test_codex_goes_on_with_a_thread(fork: bool, word: str) -> None:
    assert launch("codex", session_id="s", resume=True, fork=fork).argv[-3:] == (word, "s", "-")


def test_codex_rules_that_no_argument_holds_are_invalid() -> None:
    with pytest.raises(Invalid):
        launch("codex", rules="é" * 60_000)


# The others


def test_gemini_starts_beside_the_repository_whose_settings_it_would_read() -> None:
    launched = launch("gemini", max_turns=7)
    settings = json.loads(text_of(launched, "settings.json"))
    assert (str(launched.folder), launched.folders) == ("/data/runs/run_1/empty", (launched.folder,))
    assert launched.argv[launched.argv.index("--include-directories") + 1] == "/data/worktrees/run_1"
    assert settings["mcpServers"]["board"]["httpUrl"] == BOARD.url
    assert settings["model"]["maxSessionTurns"] == 7


def test_gemini_looks_for_variables_no_further_than_where_it_starts() -> None:
    launched = launch("gemini")
    assert launched.files[launched.folder / ".gemini/.env"] == ""


def test_gemini_policy_allows_commands() -> None:
    policy = text_of(launch("gemini", commands=("git diff", "make test")), "policy.toml")
    assert policy.count("[[rule]]") == 2
    assert 'commandPrefix = "git diff"\ndecision = "allow"' in policy


def test_opencode_ignores_the_configuration_of_the_project() -> None:
    launched = launch("opencode", commands=("git diff",))
    permission = json.loads(launched.environment["OPENCODE_CONFIG_CONTENT"])["permission"]
    assert launched.environment["OPENCODE_DISABLE_PROJECT_CONFIG"] == "1"
    assert (permission["bash"]["*"], permission["bash"]["git diff *"]) == ("ask", "allow")


def test_copilot_hides_its_key_from_shells() -> None:
    argv = launch("copilot", commands=("git diff",)).argv
    assert "--allow-tool=shell(git diff:*)" in argv
    assert any(word.startswith("--secret-env-vars=COPILOT_GITHUB_TOKEN,") for word in argv)


def test_a_command_finds_its_paths_in_arguments_and_variables() -> None:
    launched = launch("command", argv=("aider", "--message-file", "{brief}", "--model={model}", "{other}"), model="m")
    assert launched.argv[2:] == ("/data/runs/run_1/job/brief.md", "--model=m", "{other}")
    assert launched.environment["ORCHESTRATOR_OUTBOX"] == "/data/runs/run_1/outbox"
    assert text_of(launched, "brief.md") == "Write the parser."


def test_no_command_is_invalid() -> None:
    with pytest.raises(Invalid):
        launch("command", argv=())


# Versions


@pytest.mark.parametrize(
    ("agent", "output", "version", "warns"),
    [
        ("claude", "2.1.330 (Claude Code)\n", "2.1.330", False),
        ("claude", "2.1.9 (Claude Code)\n", "2.1.9", True),
        ("codex", "codex-cli 0.169.0\n", "0.169.0", False),
        ("codex", "codex-cli 1.0.0-beta.1\n", "1.0.0", True),
        ("gemini", "0.61.0\n", "0.61.0", False),
        ("copilot", "GitHub Copilot CLI 1.0.102.\nCommit: 638eca2df17", "1.0.102", False),
        ("claude", "command not found", None, True),
        ("claude", "9" * 5_000 + ".1", None, True),
        ("command", "anything", None, False),
    ],
)
def test_a_version_is_read_and_warned_of(agent: str, output: str, version: str | None, warns: bool) -> None:
    adapter = ADAPTERS[agent]
    assert adapter.version(output) == version
    assert bool(adapter.warning(adapter.version(output))) is warns


def test_every_adapter_is_complete() -> None:
    for name, adapter in ADAPTERS.items():
        assert adapter.name == name and adapter.title
        assert name == "command" or (adapter.executables and adapter.tested and adapter.memory_mb)


def test_jobs_are_read_only() -> None:
    with pytest.raises(AttributeError):
        job().brief = "another"  # type: ignore[misc]
    assert isinstance(job(), Job)
