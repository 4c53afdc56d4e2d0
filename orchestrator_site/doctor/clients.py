"""Check every assistant's configuration: that it is valid, belongs to this installation, and its token works."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.utils import timezone

from orchestrator_site.connect.clients import CLIENTS, Client, ConfigFile
from orchestrator_site.connect.entries import changes, http_entry, secret_in, stdio_entry, this_installation
from orchestrator_site.connect.machine import Machine
from orchestrator_site.connect.service import current_entry, holds_secret, token_in
from orchestrator_site.doctor.findings import Finding, ok, problem, run_check, warning
from orchestrator_site.up.address import recall
from orchestrator_site.up.connect import quote


def clients(machine: Machine, project: Path | None) -> Iterator[Finding]:
    for client in CLIENTS:
        config_files = client.config_files(machine)
        if project is not None and client.project_file:
            config_files = [*config_files, *client.config_files(machine, project)]
        for each in config_files:
            yield from run_check(client.name, lambda client=client, each=each: _check(client, each, machine))  # type: ignore[misc]


def _check(client: Client, config_file: ConfigFile, machine: Machine) -> Iterator[Finding]:
    entry = current_entry(config_file)
    if entry is None:
        if config_file.path.exists() or client.is_installed(machine):
            yield ok(client.name, f"Not connected in {config_file.path}.", connected=False)
        return
    yield (_check_http if config_file.style.url in entry else _check_stdio)(client, config_file, entry)
    if holds_secret(entry, config_file) and is_open(config_file.path):
        chmod = quote(["chmod", "600", str(config_file.path)])
        yield warning(client.name, f"{config_file.path} contains a token and others can read it.", chmod)


def is_open(path: Path) -> bool:
    return os.name == "posix" and bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def _reconnect(client: Client, config_file: ConfigFile, *options: str) -> str:
    project = ("--project", str(config_file.project)) if config_file.project else ()
    return "Connect it again: " + quote(["python", "manage.py", "connect", client.name, *options, *project])


def _check_stdio(client: Client, config_file: ConfigFile, entry: dict[str, Any]) -> Finding:
    path, command = config_file.path, str(entry.get("command", ""))
    environment = entry["env"] if isinstance(entry.get("env"), dict) else {}
    facts = {"connected": "stdio", "path": str(path)}
    advice = _reconnect(client, config_file)
    if not shutil.which(command):
        return problem(
            client.name, f"{path} runs {command}, which does not exist.", advice, reason="no_command", **facts
        )
    writes_secrets = "://" in str(environment.get("DATABASE_URL", ""))
    wanted = this_installation(project=config_file.project, writes_secrets=writes_secrets)
    home = str(environment.get("ORCHESTRATOR_HOME", ""))
    if home and Path(home).resolve() != Path(wanted.home):
        return warning(client.name, f"{path} uses another data folder: {home}.", advice, reason="other_data", **facts)
    edits = changes(entry, stdio_entry(wanted, config_file.style), config_file.style.path)
    differing = sorted({path[-1] for path, _ in edits})
    if {"command", "args"} & {*differing}:
        return warning(
            client.name, f"{path} runs another installation: {command}.", advice, reason="other_installation", **facts
        )
    if differing:
        what = f"{path} differs from what connect would write ({', '.join(differing)})."
        return warning(client.name, what, advice, reason="changed", differing=differing, **facts)
    return ok(client.name, f"Connected over stdio in {path}.", **facts)


def _check_http(client: Client, config_file: ConfigFile, entry: dict[str, Any]) -> Finding:
    path, style = config_file.path, config_file.style
    facts = {"connected": "http", "path": str(path)}
    advice = _reconnect(client, config_file, "--http")
    token = token_in(entry, config_file)
    if not secret_in(entry, style):
        return problem(client.name, f"{path} contains no token.", advice, reason="no_token", **facts)
    if token is None:
        what = f"The token in {path} is not from this installation."
        return warning(client.name, what, advice, reason="unknown_token", **facts)
    if not token.is_usable(timezone.now()) or not token.owner.is_active:
        what = f"The token {token.name} in {path} has expired or been revoked."
        return problem(client.name, what, advice, reason="unusable_token", **facts)
    url = str(entry[style.url])
    if not url.startswith(f"{recall().rstrip('/')}/"):
        what = f"{path} uses {url}, but the site was last started at {recall()}."
        return warning(client.name, what, advice, reason="other_url", **facts)
    if changes(entry, http_entry(url, secret_in(entry, style), style), style.path):
        what = f"{path} differs from what connect would write."
        return warning(client.name, what, advice, reason="changed", **facts)
    return ok(client.name, f"Connected over HTTP in {path} with the token {token.name}.", **facts)
