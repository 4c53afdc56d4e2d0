"""The local owner: the account of the person on whose machine the site runs."""

from __future__ import annotations

import getpass
import itertools
import re
from collections.abc import Iterator

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User


def local_owner() -> User:
    """Return the owner, making the account on first run.

    The owner has no password: a link or `manage.py changepassword` opens the door. Several processes may ask at once
    on a fresh database; the unique name lets one of them make the account and gives it to all.
    """
    present = User.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
    return present or next(user for user in map(_make, _names()) if user.is_superuser and user.is_active)


def _make(name: str) -> User:
    facts = {"is_staff": True, "is_superuser": True, "password": make_password(None)}
    return User.objects.get_or_create(username=name, defaults=facts)[0]


def _names() -> Iterator[str]:
    """Name the account as the person is named on this machine, or the next best where that is taken."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):  # no such person in this container; which one is raised differs by Python
        name = ""
    name = re.sub(r"[^\w.@+-]", "", name)[:150]
    yield from filter(None, [name, "owner"])
    yield from (f"owner-{number}" for number in itertools.count(2))
