"""The principal of a local pipe: whoever runs this process."""

from __future__ import annotations

from django.conf import settings

from orchestrator_site.accounts.owner import local_owner
from orchestrator_site.kernel.errors import Forbidden
from orchestrator_site.kernel.identity import Principal, Scope, with_included


def local_principal() -> Principal:
    """Return the owner of this machine, with what ORCHESTRATOR_STDIO_SCOPES grants (everything by default).

    Raises Forbidden where the setting names what is none.
    """
    granted = settings.ORCHESTRATOR_STDIO_SCOPES
    if unknown := [scope for scope in granted if scope not in list(Scope)]:
        raise Forbidden(
            f"ORCHESTRATOR_STDIO_SCOPES names {unknown[0][:40]!r}, which is no scope; nothing is granted.",
            next="Tell the person who runs the server to mend that setting.",
            details={"allowed": [scope.value for scope in Scope]},
        )
    owner = local_owner()
    scopes = with_included(Scope(scope) for scope in granted)
    return Principal(name=owner.get_username(), scopes=scopes, user_id=owner.pk)
