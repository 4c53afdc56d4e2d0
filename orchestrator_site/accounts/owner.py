"""The local owner: the account of the person who runs the site."""

from __future__ import annotations

import getpass
import itertools
import re
from collections.abc import Iterator

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User


def local_owner() -> User:
    """Return the owner, whose account is made on first run and has no password.

    Several processes may do so at once; the unique name makes sure that all of them get the same account.
    """
    present = User.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
    return present or next(user for user in map(_make, _names()) if user.is_superuser and user.is_active)


def _make(name: str) -> User:
    facts = {"is_staff": True, "is_superuser": True, "password": make_password(None)}
    return User.objects.get_or_create(username=name, defaults=facts)[0]


def _names() -> Iterator[str]:
    """Return names for the account: that of the person on this machine, then others in case it is taken."""
    try:
        name = getpass.getuser()
    except (
        OSError,
        KeyError,
        ImportError,
    ):  # unknown user, as in some containers; the exception depends on the version of Python
        name = ""
    name = re.sub(r"[^\w.@+-]", "", name)[:150]
    yield from filter(None, [name, "owner"])
    yield from (f"owner-{number}" for number in itertools.count(2))
