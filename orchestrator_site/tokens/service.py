"""Make, revoke and check access tokens."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from orchestrator_site.kernel import read_only
from orchestrator_site.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from orchestrator_site.kernel.identity import Principal, Scope, in_order, person, scopes_of, with_included
from orchestrator_site.kernel.text import unstorable
from orchestrator_site.models import AccessToken
from orchestrator_site.tokens import auth_cache
from tasks.agents.services.tokens import TOKEN_PREFIX, principal_of_run
from tasks.models import Project

PREFIX = "mto_"
SECRET_BYTES = 32
NAME_LIMIT = 100
DEFAULT_SCOPES = (Scope.READ, Scope.WRITE)
USED_EVERY = timedelta(minutes=1)
"""How often a use is recorded, so that most reads write nothing."""


def create_token(
    *,
    owner: User,
    name: str,
    scopes: Iterable[str] = DEFAULT_SCOPES,
    project: Project | None = None,
    expires_at: datetime | None = None,
    giver: Principal | None = None,
) -> tuple[AccessToken, str]:
    """Make a token; return it with its secret, of which only a digest is stored.

    `giver` is who asks for the token if that principal may do less than the owner, such as another token.
    Raises Invalid, Forbidden, or Conflict if the owner has a token of that name.
    """
    name, now = " ".join(name.split()), timezone.now()
    if not name or len(name) > NAME_LIMIT or unstorable(name) or not name.isprintable():
        raise Invalid(f"name: must have 1 to {NAME_LIMIT} printable characters.", next="Name it after its purpose.")
    granted = _checked_scopes(giver or person(owner), scopes)
    if giver is not None and giver.project_id not in (None, project and project.pk):
        raise Forbidden(
            "A token for one project can make tokens only for that project.", next="Send its slug as project."
        )
    if expires_at is not None and expires_at <= now:
        raise Invalid("expires_at: must be in the future.", next="Send a later time, or none.")
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    try:
        with transaction.atomic():
            token = AccessToken.objects.create(
                public_id=f"token_{secrets.token_hex(4)}",
                name=name,
                owner=owner,
                digest=digest_of(secret),
                scopes=granted,
                project=project,
                created_at=now,
                expires_at=expires_at,
            )
    except IntegrityError as error:
        raise Conflict(
            f"{owner.get_username()} already has a token named {name!r}.",
            next="Choose another name, or revoke that one first.",
        ) from error
    return token, secret


def revoke_token(*, token: AccessToken) -> bool:
    """Revoke a token permanently; return False if it was revoked before.

    This process rejects it at once; others may take up to a second (`auth_cache.py`).
    """
    revoked = AccessToken.objects.filter(pk=token.pk, revoked_at__isnull=True).update(revoked_at=timezone.now())
    auth_cache.clear()
    return bool(revoked)


def find_token(public_id: str, *, owner: User | None = None) -> AccessToken:
    """Return a token by its public id, or by its name if it is not revoked.

    Raises NotFound, or Conflict if several owners use the name.
    """
    rows = tokens_of(owner)
    clean = public_id.replace("\x00", "")
    if found := rows.filter(public_id=clean).first():
        return found
    named = list(rows.filter(name=clean, revoked_at__isnull=True)[:2])
    if not named:
        raise NotFound(
            f"There is no access token {clean[:NAME_LIMIT]!r}.", next="manage.py token list shows all tokens."
        )
    if len(named) > 1:
        raise Conflict(f"Several owners have a token named {clean!r}.", next="Send its id, or its owner.")
    return named[0]


def tokens_of(owner: User | None = None) -> QuerySet[AccessToken]:
    rows = AccessToken.objects.select_related("owner", "project")
    if owner is not None:
        rows = rows.filter(owner=owner)
    return rows.order_by(F("revoked_at").desc(nulls_first=True), "-id")


def principal_of(secret: str) -> Principal | None:
    """Return the principal of a secret, or None. A token never has scopes that its owner lacks at that time."""
    if secret.startswith(TOKEN_PREFIX):
        return principal_of_run(secret)
    # The lookup is by a digest of 256 random bits, so its duration reveals nothing about any secret.
    now = timezone.now()
    token = AccessToken.objects.select_related("owner").filter(digest=digest_of(secret)).first()
    if token is None or not token.is_usable(now) or not token.owner.is_active:
        return None
    if (token.last_used_at is None or abs(now - token.last_used_at) >= USED_EVERY) and not read_only.is_on():
        AccessToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return Principal(
        name=str(token),
        scopes=scopes_of(token.owner) & frozenset(Scope(scope) for scope in token.scopes),
        user_id=token.owner_id,
        token_id=token.public_id,
        project_id=token.project_id,
    )


def digest_of(secret: str) -> str:
    """Return the digest of a secret. A fast hash is enough for 32 random bytes."""
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def _checked_scopes(giver: Principal, scopes: Iterable[str]) -> list[str]:
    requested = list(scopes)
    names = [scope.value for scope in Scope]
    hints: dict[str, Any] = {"next": f"Send one or more of: {', '.join(names)}.", "details": {"allowed": names}}
    if unknown := [scope for scope in requested if scope not in names]:
        raise Invalid(f"scopes: unknown scope {str(unknown[0])[:40]!r}.", **hints)
    if not requested:
        raise Invalid("scopes: at least one is required.", **hints)
    granted = with_included(Scope(scope) for scope in requested)
    if missing := granted - giver.scopes:
        raise Forbidden(
            f"{giver.name} lacks the scopes: {', '.join(in_order(missing))}.",
            next="Request fewer scopes, or have a superuser make the token.",
        )
    return in_order(granted)
