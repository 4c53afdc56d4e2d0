"""Users named on the command line."""

from __future__ import annotations

from django.contrib.auth.models import User

from orchestrator_site.accounts.owner import local_owner
from orchestrator_site.kernel.errors import NotFound


def user_named(name: str | None) -> User:
    """Return an active user, by default the owner of this machine. Raises NotFound."""
    if name is None:
        return local_owner()
    found = User.objects.filter(username=name.replace("\x00", ""), is_active=True).first()
    if found is None:
        raise NotFound(f"There is no active user {name!r}.", next="Make one with: python manage.py createsuperuser")
    return found
