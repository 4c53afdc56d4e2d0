"""Whom a command means."""

from __future__ import annotations

from django.contrib.auth.models import User

from orchestrator_site.accounts.owner import local_owner
from orchestrator_site.kernel.errors import NotFound


def user_named(name: str | None) -> User:
    """Return an active user, the owner of this machine where nobody is named.

    Raises NotFound.
    """
    if name is None:
        return local_owner()
    found = User.objects.filter(username=name.replace("\x00", ""), is_active=True).first()
    if found is None:
        raise NotFound(f"No active user is named {name}.", next="Make one with: python manage.py createsuperuser")
    return found
