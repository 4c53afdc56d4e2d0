"""What a project allows its agents: which ones, with which rights, and how much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

from orchestrator_site.kernel.errors import invalid
from tasks.agents.adapters.jobs import COMMAND, Rights

WORDS_LIMIT = 100
WORD_LENGTH = 500
GUIDANCE_LENGTH = 20_000


@dataclass(frozen=True, slots=True)
class IsolationSettings:
    """The settings of one project, whole and checked.

    `commands` are patterns of shell commands that an agent may run unasked, `copied_files` patterns of files that Git
    ignores and a worktree needs, `setup` and `command` argument lists. `rights` is what happens to all else that an
    agent wants to do (bypass only works in a jail), `unjailed` whether agents may run where there is no jail,
    `own_folder` whether they may work in the project's own folder instead of a worktree.
    `parallel` 0 means: as many as the machine can.
    """

    agents: tuple[str, ...] = ("claude",)
    command: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    copied_files: tuple[str, ...] = ()
    setup: tuple[str, ...] = ()
    setup_minutes: int = 10
    base: str = ""
    guidance: str = ""
    rights: str = "ask"
    unjailed: bool = True
    own_folder: bool = False
    parallel: int = 0
    minutes: int = 30
    idle_minutes: int = 10
    turns: int = 60
    cost_usd: Decimal = Decimal(5)
    plan_cost_usd: Decimal = Decimal(25)
    attempts: int = 3
    disk_gb: int = 20
    keep_days: int = 14

    @property
    def agent(self) -> str:
        return self.agents[0]

    def stored(self) -> dict[str, Any]:
        """Return what differs from the defaults, as JSON."""
        standard = IsolationSettings()
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: _as_json(value) for name, value in own.items() if value != getattr(standard, name)}


def _as_json(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


_NUMBERS = {
    "setup_minutes": (1, 120),
    "parallel": (0, 64),
    "minutes": (1, 24 * 60),
    "idle_minutes": (1, 24 * 60),
    "turns": (1, 10_000),
    "attempts": (1, 100),
    "disk_gb": (1, 10_000),
    "keep_days": (0, 3650),
}
_MONEY = {"cost_usd": (0, 10_000), "plan_cost_usd": (0, 100_000)}
_LISTS = ("agents", "command", "commands", "copied_files", "setup")


def parsed(stored: Mapping[str, Any], *, known_agents: tuple[str, ...] = ()) -> IsolationSettings:
    """Return settings from JSON; what is missing is as by default.

    Raises Invalid, naming every value that is wrong; agents are only checked where `known_agents` are given.
    """
    problems: list[dict[str, Any]] = []
    values: dict[str, Any] = {}
    names = {field.name: field for field in fields(IsolationSettings)}
    for name, value in stored.items():
        if name not in names:
            problems.append({"at": name, "problem": "is no setting", "allowed": list(names)})
            continue
        values[name], why = _checked(name, value)
        if why:
            problems.append({"at": name, "problem": why})
    unknown = [each for each in values.get("agents") or () if known_agents and each not in known_agents]
    if unknown:
        problems.append({"at": "agents", "problem": f"unknown: {unknown[0]}", "allowed": list(known_agents)})
    if "command" in (values.get("agents") or ()) and not values.get("command"):
        problems.append({"at": "command", "problem": "is required for the agent 'command'"})
    if problems:
        raise invalid(problems, next="Fix these and retry.")
    return IsolationSettings(**values)


def _checked(name: str, value: Any) -> tuple[Any, str]:
    if name in _NUMBERS:
        least, most = _NUMBERS[name]
        is_right = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
        return value, "" if is_right else f"must be an integer from {least} to {most}"
    if name in _MONEY:
        return _amount(value, *_MONEY[name])
    if name in _LISTS:
        words, why = _words(value, at_least=int(name == "agents"))
        odd = [each for each in words if name == "commands" and not COMMAND.fullmatch(each)]
        return words, why or (f"{odd[0]!r} is no beginning of a command, such as git diff" if odd else "")
    if isinstance(getattr(IsolationSettings(), name), bool):
        return value, "" if isinstance(value, bool) else "must be true or false"
    if name == "rights":
        return value, "" if value in set(Rights) else f"must be one of: {', '.join(Rights)}"
    limit = GUIDANCE_LENGTH if name == "guidance" else 200
    is_right = isinstance(value, str) and len(value) <= limit and "\x00" not in value
    return value, "" if is_right else f"must be a string of up to {limit} characters"


def _amount(value: Any, least: int, most: int) -> tuple[Any, str]:
    try:
        amount = Decimal(str(value)).quantize(Decimal("0.01"))
        if not amount.is_finite():
            raise ValueError
    except (ArithmeticError, ValueError):
        amount = Decimal(-1)
    return amount, "" if least <= amount <= most else f"must be an amount from {least} to {most}"


def _words(value: Any, *, at_least: int) -> tuple[Any, str]:
    is_right = isinstance(value, list | tuple) and at_least <= len(value) <= WORDS_LIMIT
    if is_right and all(
        isinstance(each, str) and 0 < len(each) <= WORD_LENGTH and each.isprintable() for each in value
    ):
        return tuple(value), ""
    return (), f"must be a list of {at_least} to {WORDS_LIMIT} printable strings of up to {WORD_LENGTH} characters"
