"""Connects one assistant or takes it away again: plan the change of every file, then make it."""

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
from orchestrator_site.connect.clients import Client, Place
from orchestrator_site.connect.entries import (
    PLACEHOLDER,
    Change,
    Stdio,
    changes,
    http_entry,
    secret_in,
    stdio_entry,
)
from orchestrator_site.connect.jsonc import Malformed
from orchestrator_site.connect.machine import Machine
from orchestrator_site.kernel.errors import Invalid, OrchestratorError
from orchestrator_site.kernel.identity import Scope, in_order, with_included
from orchestrator_site.models import AccessToken
from orchestrator_site.tokens.service import DEFAULT_SCOPES, NAME_LIMIT, create_token, digest_of, revoke_token
from tasks.models import Project


@dataclass(frozen=True, slots=True)
class Http:
    """An address, and what its token may do."""

    url: str
    owner: User
    token_name: str
    scopes: tuple[str, ...] = tuple(scope.value for scope in DEFAULT_SCOPES)
    project: Project | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """One file as it is and as it will be, and the token that its entry holds now."""

    place: Place
    before: files.Snapshot
    after: str
    entry: dict[str, Any] = field(default_factory=dict)
    former: AccessToken | None = None
    needs_token: bool = False

    @property
    def is_change(self) -> bool:
        """Whether anything is to be written."""
        return self.after != self.before.text or self.needs_token


def token_name(client: Client, project: Project | None = None) -> str:
    """Name a token after the client, this machine and the project, so that each has one of its own."""
    words = [client.name, socket.gethostname().split(".")[0] or "here", project.slug if project else ""]
    return "-".join(filter(None, words))[:NAME_LIMIT]


def present_entry(place: Place) -> dict[str, Any] | None:
    """Return our entry of a file, None where there is none.

    Raises Invalid where the file cannot be understood.
    """
    before = files.read(place.path)
    try:
        entry = documents.entry_in(before.text, place.style)
    except Malformed as error:
        raise Invalid(f"{place.path} cannot be read: {error}.") from error
    return entry if isinstance(entry, dict) else None


# Connecting


def plan(client: Client, machine: Machine, wanted: Stdio | Http, folder: Path | None = None) -> list[Planned]:
    """Return what connecting would change, file by file.

    Raises Invalid, with the entry to put in by hand, where a file cannot be changed safely.
    """
    return [_plan(place, wanted) for place in _usable(client.places(machine, folder), wanted)]


def _usable(places: list[Place], wanted: Stdio | Http) -> list[Place]:
    """Leave out the files that take no addresses where others do; the last one left says why none does."""
    if isinstance(wanted, Stdio):
        return places
    return [place for place in places if place.style.url] or places[:1]


def _plan(place: Place, wanted: Stdio | Http) -> Planned:
    before = files.read(place.path)
    shown = _entry(place, wanted, PLACEHOLDER)
    try:
        present = documents.entry_in(before.text, place.style)
        former = token_in(present, place)
        keeps = isinstance(wanted, Http) and former is not None and _opens(former, wanted)
        if keeps and isinstance(present, dict):
            shown = _entry(place, wanted, secret_in(present, place.style))
        after = documents.changed(before.text, place.style, changes(present, shown, place.style.path))
    except (Malformed, Invalid) as error:
        raise _by_hand(place, error, _entry(place, wanted, PLACEHOLDER)) from error
    return Planned(place, before, after, shown, former, needs_token=isinstance(wanted, Http) and not keeps)


def _entry(place: Place, wanted: Stdio | Http, secret: str) -> dict[str, Any]:
    if isinstance(wanted, Stdio):
        return stdio_entry(wanted, place.style)
    return http_entry(wanted.url, secret, place.style)


def _by_hand(place: Place, error: Malformed | Invalid, entry: dict[str, Any]) -> Invalid:
    why = str(error).rstrip(".")
    return Invalid(
        f"{place.path}: {why}. Nothing was written.",
        next=f"Mend that and run this again, or put it in by hand:\n\n{documents.block(entry, place.style)}",
    )


def apply(planned: Iterable[Planned], wanted: Stdio | Http) -> list[Path]:
    """Write what was planned and return the backups. A token of its own is made where one is needed.

    The former token ends in the same transaction, so that a file that cannot be written leaves both as they were.
    """
    planned = list(planned)
    changed = [each for each in planned if each.is_change]
    with transaction.atomic():
        if isinstance(wanted, Stdio):
            _revoke(each.former for each in changed)
            return _write(changed)
        if not any(each.needs_token for each in changed):
            return _write(changed)
        secret = _renew_token(wanted, planned)  # for every file, since the former one ends for every file
        return _write([_with_secret(each, wanted, secret) for each in planned])


def _renew_token(wanted: Http, planned: list[Planned]) -> str:
    _revoke(each.former for each in planned)
    _revoke(AccessToken.objects.filter(owner=wanted.owner, name=wanted.token_name, revoked_at__isnull=True))
    return create_token(owner=wanted.owner, name=wanted.token_name, scopes=wanted.scopes, project=wanted.project)[1]


def _with_secret(planned: Planned, wanted: Http, secret: str) -> Planned:
    place, text = planned.place, planned.before.text
    entry = _entry(place, wanted, secret)
    edits = changes(documents.entry_in(text, place.style), entry, place.style.path)
    return replace(planned, entry=entry, after=documents.changed(text, place.style, edits))


def _write(planned: Iterable[Planned]) -> list[Path]:
    backups = []
    for each in planned:
        is_private = holds_secret(each.entry, each.place)
        backup = files.write(each.before, each.after, is_private=is_private)
        backups += [backup] if backup else []
    return backups


def holds_secret(entry: dict[str, Any], place: Place) -> bool:
    """Tell whether an entry makes its file one for its owner alone."""
    environment = entry.get("env")
    address = environment.get("DATABASE_URL", "") if isinstance(environment, dict) else ""
    return bool(secret_in(entry, place.style)) or (isinstance(address, str) and "@" in address)


# Taking away


def plan_removal(client: Client, machine: Machine, folder: Path | None = None) -> list[Planned]:
    """Return what taking the client away would change, without the files that have no entry. Raises as `plan`."""
    found = [_plan_removal(place) for place in client.places(machine, folder)]
    return [each for each in found if each.is_change]


def _plan_removal(place: Place) -> Planned:
    before = files.read(place.path)
    try:
        present = documents.entry_in(before.text, place.style)
        removal: list[Change] = [] if present is None else [(place.style.path, ...)]
        after = documents.changed(before.text, place.style, removal) if removal else before.text
    except (Malformed, Invalid) as error:
        raise Invalid(
            f"{place.path}: {str(error).rstrip('.')}. Nothing was written.",
            next=f"Take {'.'.join(place.style.path)} out by hand.",
        ) from error
    return Planned(place, before, after, former=token_in(present, place))


def apply_removal(planned: Iterable[Planned]) -> list[Path]:
    """Write what was planned, end the tokens that stood there, and return the backups."""
    planned = list(planned)
    with transaction.atomic():
        _revoke(each.former for each in planned)
        return _write(planned)


# Tokens


def _revoke(tokens: Iterable[AccessToken | None]) -> None:
    for token in tokens:
        if token is not None:
            revoke_token(token=token)


def token_in(entry: object, place: Place) -> AccessToken | None:
    """Return the token whose secret stands in an entry, whether it still opens anything or not."""
    secret = secret_in(entry, place.style) if isinstance(entry, dict) else ""
    return AccessToken.objects.select_related("owner").filter(digest=digest_of(secret)).first() if secret else None


def _opens(token: AccessToken, wanted: Http) -> bool:
    """Tell whether a token that is there already is the one that would be made."""
    granted = in_order(with_included(Scope(scope) for scope in wanted.scopes if scope in list(Scope)))
    return (
        token.is_usable(timezone.now())
        and token.owner_id == wanted.owner.pk
        and token.name == wanted.token_name
        and token.scopes == granted
        and token.project_id == (wanted.project.pk if wanted.project else None)
    )


def said(error: OrchestratorError) -> str:
    """Return an error as a command says it."""
    return f"{error.message} {error.next}".strip()
