"""What a principal may do with a view: reading needs `read`, the rest `write`, where the view does not say more."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import NotAuthenticated
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from orchestrator_site.kernel.identity import Principal, Scope


class HasScope(BasePermission):
    """Needs a principal, and the scope that `view.scopes` names for the action, or for the method in small letters."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Check the scope. Raises NotAuthenticated where nobody is known, Forbidden where the scope is missing."""
        if not isinstance(request.auth, Principal):
            raise NotAuthenticated
        if getattr(view, "action", "") is not None:  # a method that is not there is told as such
            request.auth.require(needed(view, request.method or ""))
        return True


def needed(view: Any, method: str) -> Scope:
    """Return the scope that a view needs for what it is about to do."""
    scopes: dict[str, Scope] = getattr(view, "scopes", {})
    named = scopes.get(getattr(view, "action", "")) or scopes.get(method.lower())
    return named or (Scope.READ if method in SAFE_METHODS else Scope.WRITE)
