"""The local owner, whose account the person who runs the site has, and other users by name."""

from __future__ import annotations

import getpass
import itertools
import re
from collections.abc import Iterator

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User

from orchestrator_site.kernel.errors import Forbidden, NotFound
from orchestrator_site.kernel.identity import Principal, Scope, with_included


def local_owner() -> User:
    """Return the owner, whose account is made on first run and has no password.

    Several processes may do so at once; the unique name makes sure that all of them get the same account.
    """
    if present := User.objects.filter(is_superuser=True, is_active=True).order_by("pk").first():
        return present
    facts = {"is_staff": True, "is_superuser": True, "password": make_password(None)}
    made = (User.objects.get_or_create(username=name, defaults=facts)[0] for name in _names())
    return next(user for user in made if user.is_superuser and user.is_active)


def _names() -> Iterator[str]:
    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):  # unknown user, as in some containers; versions of Python differ
        name = ""
    name = re.sub(r"[^\w.@+-]", "", name)[:150]
    yield from filter(None, [name, "owner"])
    yield from (f"owner-{number}" for number in itertools.count(2))


def local_principal() -> Principal:
    """Return the owner of this machine with the scopes of ORCHESTRATOR_STDIO_SCOPES. Raises Forbidden."""
    granted = settings.ORCHESTRATOR_STDIO_SCOPES
    if unknown := [scope for scope in granted if scope not in list(Scope)]:
        raise Forbidden(
            f"ORCHESTRATOR_STDIO_SCOPES has an unknown scope {unknown[0][:40]!r}, so nothing is granted.",
            next="Ask the person who runs the server to fix that setting.",
            details={"allowed": [scope.value for scope in Scope]},
        )
    owner = local_owner()
    scopes = with_included(Scope(scope) for scope in granted)
    return Principal(name=owner.get_username(), scopes=scopes, user_id=owner.pk)


def user_named(name: str | None) -> User:
    if name is None:
        return local_owner()
    if found := User.objects.filter(username=name.replace("\x00", ""), is_active=True).first():
        return found
    raise NotFound(f"There is no active user {name!r}.", next="Make one with: python manage.py createsuperuser")
