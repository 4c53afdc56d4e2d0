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

from orchestrator_site.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from orchestrator_site.kernel.identity import Principal, Scope, in_order, person, scopes_of, with_included
from orchestrator_site.kernel.text import unstorable
from orchestrator_site.models import AccessToken
from orchestrator_site.tokens import auth_cache
from tasks.models import Project

PREFIX = "mto_"
SECRET_BYTES = 32
NAME_LIMIT = 100
DEFAULT_SCOPES = (Scope.READ, Scope.WRITE)
USED_EVERY = timedelta(minutes=1)
"""A use is noted at most this often, so that reading stays free of writing."""


def create_token(
    *,
    owner: User,
    name: str,
    scopes: Iterable[str] = DEFAULT_SCOPES,
    project: Project | None = None,
    expires_at: datetime | None = None,
    giver: Principal | None = None,
) -> tuple[AccessToken, str]:
    """Make a token; returns it with its secret, which is nowhere else: the database keeps a digest.

    `giver` is who asks for it where that may do less than the owner, such as another token. Raises Invalid for a name,
    scope or expiry that cannot be, Forbidden for what the owner or the giver may not do, and Conflict where the owner
    has a token of that name.
    """
    name, now = _checked_name(name), timezone.now()
    granted = _checked_scopes(giver or person(owner), scopes)
    if giver is not None and giver.project_id not in (None, project and project.pk):
        raise Forbidden(
            "An access token for one project makes tokens for that project alone.", next="Send its slug as project."
        )
    if expires_at is not None and expires_at <= now:
        raise Invalid("expires_at: this time has passed already.", next="Send a later one, or none.")
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
            f"{owner.get_username()} has a token named {name!r} already.",
            next="Choose another name, or revoke that one first.",
        ) from error
    return token, secret


def revoke_token(*, token: AccessToken) -> bool:
    """End a token for good; False where it was revoked already.

    This process refuses the next request with it; others may take up to a second (`tokens/recent.py`).
    """
    ended = AccessToken.objects.filter(pk=token.pk, revoked_at__isnull=True).update(revoked_at=timezone.now())
    auth_cache.forget()
    return bool(ended)


def find_token(public_id: str, *, owner: User | None = None) -> AccessToken:
    """Return a token by its public id, or by the name of one that is not revoked.

    Raises NotFound, also for another owner's where one is given, and Conflict where several owners use the name.
    """
    rows = tokens_of(owner)
    clean = public_id.replace("\x00", "")
    if found := rows.filter(public_id=clean).first():
        return found
    named = list(rows.filter(name=clean, revoked_at__isnull=True)[:2])
    if not named:
        raise NotFound(f"There is no access token {clean[:NAME_LIMIT]!r}.", next="List them: manage.py token list")
    if len(named) > 1:
        raise Conflict(f"Several owners have a token named {clean!r}.", next="Send its id, or say whose it is.")
    return named[0]


def tokens_of(owner: User | None = None) -> QuerySet[AccessToken]:
    """Return somebody's tokens, or everybody's: those that are not revoked first, the newest first."""
    rows = AccessToken.objects.select_related("owner", "project")
    if owner is not None:
        rows = rows.filter(owner=owner)
    return rows.order_by(F("revoked_at").desc(nulls_first=True), "-id")


def principal_of(secret: str) -> Principal | None:
    """Return who a secret proves to be; None where it opens nothing.

    The row is found by the digest of 256 random bits, so how long the look takes tells nothing about any secret. What
    the owner may not do (any more), the token may not either.
    """
    now = timezone.now()
    token = AccessToken.objects.select_related("owner").filter(digest=digest_of(secret)).first()
    if token is None or not token.is_usable(now) or not token.owner.is_active:
        return None
    if token.last_used_at is None or now - token.last_used_at >= USED_EVERY:
        AccessToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return Principal(
        name=str(token),
        scopes=scopes_of(token.owner) & frozenset(Scope(scope) for scope in token.scopes),
        user_id=token.owner_id,
        token_id=token.public_id,
        project_id=token.project_id,
    )


def digest_of(secret: str) -> str:
    """Return how a secret is kept. A plain sha256 will do: nobody guesses 32 random bytes, however fast the hash."""
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def _checked_name(name: str) -> str:
    clean = " ".join(name.split())
    if not clean or len(clean) > NAME_LIMIT or unstorable(clean) or not clean.isprintable():
        raise Invalid(
            f"name: a name of 1 to {NAME_LIMIT} printable characters is wanted.", next="Name it after its use."
        )
    return clean


def _checked_scopes(giver: Principal, scopes: Iterable[str]) -> list[str]:
    wanted = list(scopes)
    if unknown := [scope for scope in wanted if scope not in list(Scope)]:
        raise Invalid(f"scopes: {str(unknown[0])[:40]!r} is none.", **_allowed_scopes())
    if not wanted:
        raise Invalid("scopes: a token without any opens nothing.", **_allowed_scopes())
    granted = with_included(Scope(scope) for scope in wanted)
    if missing := granted - giver.scopes:
        raise Forbidden(
            f"{giver.name} may not hand out: {', '.join(in_order(missing))}.",
            next="Ask for less, or have a superuser make the token.",
        )
    return in_order(granted)


def _allowed_scopes() -> dict[str, Any]:
    names = [scope.value for scope in Scope]
    return {"next": f"Send one or more of: {', '.join(names)}.", "details": {"allowed": names}}
