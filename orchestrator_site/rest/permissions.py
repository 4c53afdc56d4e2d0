"""Permissions by scope: `read` for reading and `write` for the rest, unless the view says otherwise."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import NotAuthenticated
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from orchestrator_site.kernel.identity import Principal, Scope


class HasScope(BasePermission):
    """Requires a principal with the scope that `view.scopes` names for the action or the lower-case method."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Raises NotAuthenticated without credentials, Forbidden without the scope."""
        if not isinstance(request.auth, Principal):
            raise NotAuthenticated
        if getattr(view, "action", "") is not None:  # a missing method is 405, not 403
            request.auth.require(needed(view, request.method or ""))
        return True


def needed(view: Any, method: str) -> Scope:
    scopes: dict[str, Scope] = getattr(view, "scopes", {})
    named = scopes.get(getattr(view, "action", "")) or scopes.get(method.lower())
    return named or (Scope.READ if method in SAFE_METHODS else Scope.WRITE)
