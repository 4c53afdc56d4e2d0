"""The hook by which Claude Code brings the newest handover into a context that was compacted or resumed.

Its settings hold a list of hooks for each event; ours is one entry of `hooks.SessionStart`, known by its command.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from orchestrator_site.connect import documents, files
from orchestrator_site.connect.clients import ConfigFile, Style
from orchestrator_site.connect.entries import Stdio, has_secret
from orchestrator_site.connect.jsonc import Malformed
from orchestrator_site.connect.machine import Machine
from orchestrator_site.connect.service import PlannedChange
from orchestrator_site.kernel.errors import Invalid

CLIENT = "claude-code"
SECTION, EVENT = "hooks", "SessionStart"
MATCHER = "compact|resume"
SECONDS = 15
_STYLE = Style(section=SECTION)
_MARK = 'handover --project-dir "$CLAUDE_PROJECT_DIR"'


def settings_file(machine: Machine, project: Path | None) -> ConfigFile:
    """Return the settings of the user, or the private ones of a project: the command has paths of this machine."""
    if project is not None:
        return ConfigFile(project / ".claude" / "settings.local.json", _STYLE, project)
    return ConfigFile(machine.folder("CLAUDE_CONFIG_DIR", machine.home / ".claude") / "settings.json", _STYLE)


def plan_hook(machine: Machine, installation: Stdio, project: Path | None) -> PlannedChange:
    """Plan to add our hook, or to renew it. Raises Invalid, with the entry, if the file cannot be changed safely."""
    return _plan(settings_file(machine, project), [_entry(installation)])


def plan_removal(machine: Machine, project: Path | None) -> PlannedChange:
    """Plan to remove our hook and keep all others. Raises Invalid if the file cannot be changed safely."""
    return _plan(settings_file(machine, project), [])


def _plan(config_file: ConfigFile, ours: list[dict[str, Any]]) -> PlannedChange:
    before = files.read(config_file.path, within=config_file.project)
    try:
        current = _hooks_in(before.text)
        if [each for each in current if _is_ours(each)] == ours:
            return PlannedChange(config_file, before, before.text)
        wanted = [each for each in current if not _is_ours(each)] + ours
        after = documents.changed(before.text, _STYLE, [((SECTION, EVENT), wanted or ...)])
    except (Malformed, Invalid) as error:
        by_hand = f" Add by hand:\n\n{json.dumps({SECTION: {EVENT: ours}}, indent=2)}" if ours else ""
        raise Invalid(
            f"{config_file.path}: {str(error).rstrip('.')}. It was not changed.", next=f"Fix the file.{by_hand}"
        ) from error
    return PlannedChange(config_file, before, after)


def _hooks_in(text: str) -> list[Any]:
    section = documents.load(text, _STYLE).get(SECTION, {})
    found = section.get(EVENT, []) if isinstance(section, dict) else None
    if not isinstance(found, list):
        raise Invalid(f"{SECTION}.{EVENT} is not a list.")
    return found


def _is_ours(entry: Any) -> bool:
    hooks = entry.get("hooks") if isinstance(entry, dict) else None
    commands = [each.get("command") for each in hooks if isinstance(each, dict)] if isinstance(hooks, list) else []
    return any(isinstance(command, str) and command.endswith(_MARK) for command in commands)


def _entry(installation: Stdio) -> dict[str, Any]:
    hook = {"type": "command", "command": _command(installation), "timeout": SECONDS}
    return {"matcher": MATCHER, "hooks": [hook]}


def _command(installation: Stdio) -> str:
    """Return the command for a shell; a database password stays in the environment of the client."""
    variables = {"ORCHESTRATOR_HOME": installation.home}
    if installation.database_url and not has_secret(installation.database_url):
        variables["DATABASE_URL"] = installation.database_url
    words = [f"{name}={shlex.quote(value)}" for name, value in variables.items()]
    return " ".join([*words, shlex.quote(installation.command), shlex.quote(installation.arguments[0]), _MARK])
