"""The principal of a local pipe: whoever runs this process."""

from __future__ import annotations

from django.conf import settings

from orchestrator_site.accounts.owner import local_owner
from tasks.principals import Principal, Scope, with_included


def local_principal() -> Principal:
    """Return the owner of this machine, with what ORCHESTRATOR_STDIO_SCOPES grants (everything by default)."""
    owner = local_owner()
    scopes = with_included(Scope(scope) for scope in settings.ORCHESTRATOR_STDIO_SCOPES)
    return Principal(name=owner.get_username(), scopes=scopes, user_id=owner.pk)
