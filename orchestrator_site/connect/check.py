"""Tries what stands in a client's own file: exactly that command or that address."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from orchestrator_site.connect.clients import Place
from orchestrator_site.connect.probe import NotConnected, ServerSummary, probe_command, probe_url

# How each way of naming a variable is read back.
_REFERENCES = {
    "${%s}": re.compile(r"\$\{(?P<name>\w+)(?::-[^}]*)?\}"),
    "${env:%s}": re.compile(r"\$\{env:(?P<name>\w+)\}"),
    "$%s": re.compile(r"\$(?P<brace>\{)?(?P<name>\w+)(?(brace)\})"),
}
_OURS = ("ORCHESTRATOR_", "DATABASE_", "DJANGO_")


def try_entry(entry: Mapping[str, Any], place: Place, environ: Mapping[str, str]) -> ServerSummary:
    """Start the command or open the address of an entry; raises NotConnected.

    What this process knows of our settings is kept from the command, so that the entry alone must be enough.
    """

    def filled(text: object) -> str:
        return _filled(str(text), place.style.reference, environ)

    url = entry.get(place.style.url) if place.style.url else None
    if isinstance(url, str):
        return probe_url(filled(url), _each(filled, entry.get(place.style.headers)))
    command, arguments = entry.get("command"), entry.get("args", [])
    if not isinstance(command, str) or not isinstance(arguments, list):
        raise NotConnected(
            "bad_entry", "The entry names neither a command nor an address.", next="Connect the assistant again."
        )
    inherited = {name: value for name, value in environ.items() if not name.startswith(_OURS)}
    forwarded = {name: environ[name] for name in entry.get("env_vars", []) if name in environ}
    variables = {**inherited, **forwarded, **_each(filled, entry.get("env"))}
    folder = str(place.project) if place.project else None
    return probe_command(filled(command), [filled(word) for word in arguments], variables, folder=folder)


def _each(filled: Callable[[object], str], values: object) -> dict[str, str]:
    return {str(name): filled(text) for name, text in values.items()} if isinstance(values, dict) else {}


def _filled(text: str, reference: str, environ: Mapping[str, str]) -> str:
    """Put the values of variables in the place of their names, as the client does."""
    pattern = _REFERENCES.get(reference)
    return pattern.sub(lambda found: environ.get(found["name"], found[0]), text) if pattern else text
