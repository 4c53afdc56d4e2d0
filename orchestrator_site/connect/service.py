"""Connect or disconnect an assistant: plan the change of each file, then apply it."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from orchestrator_site.connect import documents, files
from orchestrator_site.connect.clients import Client, ConfigFile
from orchestrator_site.connect.entries import PLACEHOLDER, URLS, Stdio, changes, http_entry, secret_in, stdio_entry
from orchestrator_site.connect.jsonc import Malformed
from orchestrator_site.connect.machine import Machine
from orchestrator_site.kernel.errors import Invalid
from orchestrator_site.kernel.identity import Scope, in_order, with_included
from orchestrator_site.models import AccessToken
from orchestrator_site.tokens.service import DEFAULT_SCOPES, NAME_LIMIT, create_token, digest_of, revoke_token
from tasks.models import Project


@dataclass(frozen=True, slots=True)
class Http:
    """The URL of the MCP server, and the token to create for it."""

    url: str
    owner: User
    token_name: str
    scopes: tuple[str, ...] = tuple(scope.value for scope in DEFAULT_SCOPES)
    project: Project | None = None


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """A file before and after the change, and the token that its entry holds now."""

    config_file: ConfigFile
    before: files.Snapshot
    after: str
    entry: dict[str, Any] = field(default_factory=dict)
    old_token: AccessToken | None = None
    needs_token: bool = False

    @property
    def is_change(self) -> bool:
        return self.after != self.before.text or self.needs_token


def token_name(client: Client, project: Project | None = None) -> str:
    parts = [client.name, socket.gethostname().split(".")[0] or "here", project.slug if project else ""]
    return "-".join(filter(None, parts))[:NAME_LIMIT]


def current_entry(config_file: ConfigFile) -> dict[str, Any] | None:
    """Return our entry in a file, or None. Raises Invalid if the file cannot be parsed."""
    before = files.read(config_file.path, within=config_file.project)
    try:
        entry = documents.entry_in(before.text, config_file.style)
    except Malformed as error:
        raise Invalid(f"{config_file.path} cannot be read: {error}.") from error
    return entry if isinstance(entry, dict) else None


# Connect


def plan(client: Client, machine: Machine, wanted: Stdio | Http, folder: Path | None = None) -> list[PlannedChange]:
    """Return the change of each file.

    Raises Invalid, with the entry to add by hand, if a file cannot be changed safely.
    """
    config_files = client.config_files(machine, folder)
    if isinstance(wanted, Http):  # without a usable file, the first one gives the error
        config_files = [each for each in config_files if each.style.url] or config_files[:1]
    return [_plan(config_file, wanted) for config_file in config_files]


def _plan(config_file: ConfigFile, wanted: Stdio | Http) -> PlannedChange:
    before, style = files.read(config_file.path, within=config_file.project), config_file.style
    entry = _entry(config_file, wanted, PLACEHOLDER)
    try:
        current = documents.entry_in(before.text, style)
        old_token = token_in(current, config_file)
        keeps_token = isinstance(wanted, Http) and old_token is not None and _matches(old_token, wanted)
        if keeps_token and isinstance(current, dict):
            entry = _entry(config_file, wanted, secret_in(current, style))
        after = documents.changed(before.text, style, changes(current, entry, style.path))
    except (Malformed, Invalid) as error:
        snippet = documents.snippet(_entry(config_file, wanted, PLACEHOLDER), style)
        raise Invalid(
            f"{config_file.path}: {str(error).rstrip('.')}. It was not changed.",
            next=f"Fix the file and run this again, or add the entry by hand:\n\n{snippet}",
        ) from error
    needs_token = isinstance(wanted, Http) and not keeps_token
    return PlannedChange(config_file, before, after, entry, old_token, needs_token)


def _entry(config_file: ConfigFile, wanted: Stdio | Http, secret: str) -> dict[str, Any]:
    if isinstance(wanted, Stdio):
        return stdio_entry(wanted, config_file.style)
    return http_entry(wanted.url, secret, config_file.style)


def apply(planned: list[PlannedChange], wanted: Stdio | Http) -> list[Path]:
    """Write the files and return the backups, creating a token if one is needed.

    Old tokens are revoked in the same transaction, so if a file cannot be written, they stay valid.
    """
    with transaction.atomic():
        if isinstance(wanted, Stdio):
            _revoke(each.old_token for each in planned if each.is_change)
        elif any(each.needs_token for each in planned):
            planned = _with_new_token(planned, wanted)
        return write(planned)


def _with_new_token(planned: list[PlannedChange], wanted: Http) -> list[PlannedChange]:
    # Every file gets it, because the old token is revoked for every file.
    _revoke(each.old_token for each in planned)
    _revoke(AccessToken.objects.filter(owner=wanted.owner, name=wanted.token_name, revoked_at__isnull=True))
    _, secret = create_token(owner=wanted.owner, name=wanted.token_name, scopes=wanted.scopes, project=wanted.project)
    rewritten = []
    for each in planned:
        style, text = each.config_file.style, each.before.text
        entry = _entry(each.config_file, wanted, secret)
        edits = changes(documents.entry_in(text, style), entry, style.path)
        rewritten.append(replace(each, entry=entry, after=documents.changed(text, style, edits)))
    return rewritten


def write(planned: Iterable[PlannedChange]) -> list[Path]:
    """Write the files that change, and return the backups."""
    backups = [
        files.write(each.before, each.after, is_private=holds_secret(each.entry, each.config_file))
        for each in planned
        if each.is_change
    ]
    return [backup for backup in backups if backup]


def holds_secret(entry: dict[str, Any], config_file: ConfigFile) -> bool:
    """Tell whether only the owner may read a file with this entry."""
    environment = entry.get("env")
    urls = [str(environment.get(name)) for name in URLS] if isinstance(environment, dict) else []
    return bool(secret_in(entry, config_file.style)) or any("@" in url for url in urls)


# Disconnect


def plan_removal(client: Client, machine: Machine, folder: Path | None = None) -> list[PlannedChange]:
    planned = []
    for config_file in client.config_files(machine, folder):
        before, style = files.read(config_file.path, within=config_file.project), config_file.style
        try:
            current = documents.entry_in(before.text, style)
            after = before.text if current is None else documents.changed(before.text, style, [(style.path, ...)])
        except (Malformed, Invalid) as error:
            raise Invalid(
                f"{config_file.path}: {str(error).rstrip('.')}. It was not changed.",
                next=f"Remove {'.'.join(style.path)} by hand.",
            ) from error
        planned.append(PlannedChange(config_file, before, after, old_token=token_in(current, config_file)))
    return [each for each in planned if each.is_change]


def apply_removal(planned: list[PlannedChange]) -> list[Path]:
    """Write the files, revoke the tokens that were in them, and return the backups."""
    with transaction.atomic():
        _revoke(each.old_token for each in planned)
        return write(planned)


# Tokens


def _revoke(tokens: Iterable[AccessToken | None]) -> None:
    for token in tokens:
        if token is not None:
            revoke_token(token=token)


def token_in(entry: object, config_file: ConfigFile) -> AccessToken | None:
    """Return the token whose secret is in an entry, even if it has expired or been revoked."""
    secret = secret_in(entry, config_file.style) if isinstance(entry, dict) else ""
    return AccessToken.objects.select_related("owner").filter(digest=digest_of(secret)).first() if secret else None


def _matches(token: AccessToken, wanted: Http) -> bool:
    granted = in_order(with_included(Scope(scope) for scope in wanted.scopes if scope in list(Scope)))
    return (
        token.is_usable(timezone.now())
        and token.owner_id == wanted.owner.pk
        and token.name == wanted.token_name
        and token.scopes == granted
        and token.project_id == (wanted.project.pk if wanted.project else None)
    )
