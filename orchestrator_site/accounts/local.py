"""The principal of clients over stdio."""

from __future__ import annotations

from django.conf import settings

from orchestrator_site.accounts.owner import local_owner
from orchestrator_site.kernel.errors import Forbidden
from orchestrator_site.kernel.identity import Principal, Scope, with_included


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
