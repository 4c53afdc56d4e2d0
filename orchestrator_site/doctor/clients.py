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
from orchestrator_site.connect.entries import URLS, changes, http_entry, secret_in, stdio_entry, this_installation
from orchestrator_site.connect.machine import Machine
from orchestrator_site.connect.service import current_entry, holds_secret, token_in
from orchestrator_site.doctor.findings import Finding, Level, ok, run_check, warning
from orchestrator_site.up.address import recall
from orchestrator_site.up.connect import quote

Verdict = tuple[Level, str, dict[str, Any]]
"""How serious it is, what was found, and facts about it."""


def clients(machine: Machine, project: Path | None) -> Iterator[Finding]:
    for client in CLIENTS:
        config_files = client.config_files(machine)
        if project is not None and client.project_file:
            config_files = [*config_files, *client.config_files(machine, project)]
        for each in config_files:
            yield from run_check(client.name, lambda client=client, each=each: _check(client, each, machine))  # type: ignore[misc]


def _check(client: Client, config_file: ConfigFile, machine: Machine) -> Iterator[Finding]:
    entry, path = current_entry(config_file), config_file.path
    if entry is None:
        if path.exists() or client.is_installed(machine):
            yield ok(client.name, f"Not connected in {path}.", connected=False)
        return
    is_http = config_file.style.url in entry
    level, what, facts = (_check_http if is_http else _check_stdio)(config_file, entry)
    options = ["--http"] * is_http + (["--project", str(config_file.project)] if config_file.project else [])
    advice = "Connect it again: " + quote(["python", "manage.py", "connect", client.name, *options])
    facts |= {"connected": "http" if is_http else "stdio", "path": str(path)}
    yield Finding(client.name, level, what, "" if level == Level.OK else advice, facts)
    if holds_secret(entry, config_file) and is_open(path):
        chmod = quote(["chmod", "600", str(path)])
        yield warning(client.name, f"{path} contains a token and others can read it.", chmod)


def is_open(path: Path) -> bool:
    return os.name == "posix" and bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def _check_stdio(config_file: ConfigFile, entry: dict[str, Any]) -> Verdict:
    path, command = config_file.path, str(entry.get("command", ""))
    environment = entry["env"] if isinstance(entry.get("env"), dict) else {}
    if not shutil.which(command):
        return Level.PROBLEM, f"{path} runs {command}, which does not exist.", {"reason": "no_command"}
    writes_secrets = any("://" in str(environment.get(name)) for name in URLS)
    wanted = this_installation(project=config_file.project, writes_secrets=writes_secrets)
    home = str(environment.get("ORCHESTRATOR_HOME", ""))
    if home and Path(home).resolve() != Path(wanted.home):
        return Level.WARNING, f"{path} uses another data folder: {home}.", {"reason": "other_data"}
    edits = changes(entry, stdio_entry(wanted, config_file.style), config_file.style.path)
    differing = sorted({path[-1] for path, _ in edits})
    if {"command", "args"} & {*differing}:
        return Level.WARNING, f"{path} runs another installation: {command}.", {"reason": "other_installation"}
    if differing:
        what = f"{path} differs from what connect would write ({', '.join(differing)})."
        return Level.WARNING, what, {"reason": "changed", "differing": differing}
    return Level.OK, f"Connected over stdio in {path}.", {}


def _check_http(config_file: ConfigFile, entry: dict[str, Any]) -> Verdict:
    path, style = config_file.path, config_file.style
    token = token_in(entry, config_file)
    if not secret_in(entry, style):
        return Level.PROBLEM, f"{path} contains no token.", {"reason": "no_token"}
    if token is None:
        return Level.WARNING, f"The token in {path} is not from this installation.", {"reason": "unknown_token"}
    if not token.is_usable(timezone.now()) or not token.owner.is_active:
        what = f"The token {token.name} in {path} has expired or been revoked."
        return Level.PROBLEM, what, {"reason": "unusable_token"}
    url = str(entry[style.url])
    if not url.startswith(f"{recall().rstrip('/')}/"):
        what = f"{path} uses {url}, but the site was last started at {recall()}."
        return Level.WARNING, what, {"reason": "other_url"}
    if changes(entry, http_entry(url, secret_in(entry, style), style), style.path):
        return Level.WARNING, f"{path} differs from what connect would write.", {"reason": "changed"}
    return Level.OK, f"Connected over HTTP in {path} with the token {token.name}.", {}
