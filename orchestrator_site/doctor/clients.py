"""Every assistant's configuration: can it be read, does it lead here, and does its token still open anything."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.utils import timezone

from orchestrator_site.connect.clients import CLIENTS, Client, Place
from orchestrator_site.connect.entries import changes, http_entry, secret_in, stdio_entry, this_installation
from orchestrator_site.connect.machine import Machine
from orchestrator_site.connect.service import holds_secret, present_entry, token_in
from orchestrator_site.doctor.findings import Finding, found_by, ok, problem, warning
from orchestrator_site.up.address import recall
from orchestrator_site.up.connect import quote


def clients(machine: Machine, project: Path | None) -> Iterator[Finding]:
    """Look at the user's configurations, and at those of a project where one is named."""
    for client in CLIENTS:
        places = client.places(machine)
        if project is not None and client.project_file:
            places = [*places, *client.places(machine, project)]
        for place in places:
            yield from found_by(client.name, lambda client=client, place=place: _look(client, place, machine))  # type: ignore[misc]


def _look(client: Client, place: Place, machine: Machine) -> Iterator[Finding]:
    entry = present_entry(place)
    if entry is None:
        if place.path.exists() or client.is_installed(machine):
            yield ok(client.name, f"Not connected in {place.path}.", connected=False)
        return
    yield _address(client, place, entry) if place.style.url in entry else _command(client, place, entry)
    if holds_secret(entry, place) and _is_open(place.path):
        yield warning(
            client.name, f"{place.path} holds a token and others can read it.", quote(["chmod", "600", str(place.path)])
        )


def _again(client: Client, place: Place, *words: str) -> str:
    project = ("--project", str(place.project)) if place.project else ()
    return "Connect it again: " + quote(["python", "manage.py", "connect", client.name, *words, *project])


def _command(client: Client, place: Place, entry: dict[str, Any]) -> Finding:
    is_written_out = "://" in str(_inner(entry, "env").get("DATABASE_URL", ""))
    wanted = this_installation(project=place.project, writes_secrets=is_written_out)
    command = str(entry.get("command", ""))
    facts = {"connected": "command", "path": str(place.path)}
    if not shutil.which(command):
        return problem(
            client.name, f"{place.path} starts {command}, which is not there.", _again(client, place), **facts
        )
    home = str(_inner(entry, "env").get("ORCHESTRATOR_HOME", ""))
    if home and Path(home).resolve() != Path(wanted.home):
        return warning(client.name, f"{place.path} works on other data: {home}.", _again(client, place), **facts)
    differing = {path[-1] for path, _ in changes(entry, stdio_entry(wanted, place.style), place.style.path)}
    if differing & {"command", "args"}:
        said = f"{place.path} starts another installation: {command}."
        return warning(client.name, said, _again(client, place), **facts)
    if differing:
        said = f"{place.path} is not as connect would write it ({', '.join(sorted(differing))})."
        return warning(client.name, said, _again(client, place), **facts)
    return ok(client.name, f"Connected by its command in {place.path}.", **facts)


def _address(client: Client, place: Place, entry: dict[str, Any]) -> Finding:
    facts = {"connected": "address", "path": str(place.path)}
    token = token_in(entry, place)
    if not secret_in(entry, place.style):
        return problem(client.name, f"{place.path} holds no token.", _again(client, place, "--http"), **facts)
    if token is None:
        said = f"{place.path} holds a token that this installation does not know."
        return warning(client.name, said, _again(client, place, "--http"), **facts)
    if not token.is_usable(timezone.now()) or not token.owner.is_active:
        said = f"{place.path} holds the token {token.name}, which was revoked or has expired."
        return problem(client.name, said, _again(client, place, "--http"), **facts)
    url = str(entry[place.style.url])
    if not url.startswith(f"{recall().rstrip('/')}/"):
        said = f"{place.path} opens {url}; the site started last at {recall()}."
        return warning(client.name, said, _again(client, place, "--http"), **facts)
    wanted = http_entry(url, secret_in(entry, place.style), place.style)
    if changes(entry, wanted, place.style.path):
        return warning(
            client.name, f"{place.path} is not as connect would write it.", _again(client, place, "--http"), **facts
        )
    return ok(client.name, f"Connected by address in {place.path}, with the token {token.name}.", **facts)


def _inner(entry: dict[str, Any], key: str) -> dict[str, Any]:
    value = entry.get(key)
    return value if isinstance(value, dict) else {}


def _is_open(path: Path) -> bool:
    return os.name == "posix" and bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))
