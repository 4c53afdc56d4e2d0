"""Test an entry in a client's file: exactly that command or URL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from orchestrator_site.connect.clients import ConfigFile
from orchestrator_site.connect.probe import NotConnected, ServerSummary, probe_command, probe_url

# The pattern for each syntax of a reference to an environment variable.
_REFERENCES = {
    "${%s}": re.compile(r"\$\{(?P<name>\w+)(?::-[^}]*)?\}"),
    "${env:%s}": re.compile(r"\$\{env:(?P<name>\w+)\}"),
    "$%s": re.compile(r"\$(?P<brace>\{)?(?P<name>\w+)(?(brace)\})"),
}
_OURS = ("ORCHESTRATOR_", "DATABASE_", "DJANGO_")


def probe_entry(entry: Mapping[str, Any], config_file: ConfigFile, environ: Mapping[str, str]) -> ServerSummary:
    """Run an entry's command or connect to its URL. Raises NotConnected.

    The command does not inherit our settings from this process, so the entry must be complete.
    """
    pattern = _REFERENCES.get(config_file.style.reference)

    def expand(value: object) -> str:
        return pattern.sub(lambda match: environ.get(match["name"], match[0]), str(value)) if pattern else str(value)

    def expand_values(values: object) -> dict[str, str]:
        return {str(name): expand(value) for name, value in values.items()} if isinstance(values, dict) else {}

    url = entry.get(config_file.style.url) if config_file.style.url else None
    if isinstance(url, str):
        return probe_url(expand(url), expand_values(entry.get(config_file.style.headers)))
    command, arguments = entry.get("command"), entry.get("args", [])
    if not isinstance(command, str) or not isinstance(arguments, list):
        raise NotConnected(
            "bad_entry", "The entry has neither a command nor a URL.", next="Connect the assistant again."
        )
    inherited = {name: value for name, value in environ.items() if not name.startswith(_OURS)}
    forwarded = {name: environ[name] for name in entry.get("env_vars", []) if name in environ}
    variables = {**inherited, **forwarded, **expand_values(entry.get("env"))}
    folder = str(config_file.project) if config_file.project else None
    return probe_command(expand(command), [expand(argument) for argument in arguments], variables, folder=folder)
