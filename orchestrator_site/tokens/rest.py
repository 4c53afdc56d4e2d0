"""Who sends a request to the REST API: an access token, or a person who signed in to the site."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.utils.functional import SimpleLazyObject
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.request import Request

from orchestrator_site.kernel.identity import Principal, person
from orchestrator_site.rest.problems import Refusal
from orchestrator_site.tokens.bearer import Refused, authenticate, bearer_of


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer TOKEN`. `request.auth` is the principal that the token proves."""

    def authenticate(self, request: Request) -> tuple[Any, Principal] | None:
        """Return the token's owner and principal; None where no token was sent.

        Raises Refusal for a token that opens nothing.
        """
        secret = bearer_of(request.headers.get("Authorization", ""))
        if secret is None:
            return None
        try:
            principal = authenticate(secret, address=request.META.get("REMOTE_ADDR", ""))
        except Refused as refused:
            raise Refusal(refused.message, status=refused.status, headers=refused.headers) from refused
        return SimpleLazyObject(lambda: User.objects.get(pk=principal.user_id or 0)), principal

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge for who sent nothing."""
        return 'Bearer realm="task-orchestrator"'


class PersonAuthentication(SessionAuthentication):
    """The session cookie of the site, with its protection against other sites' pages."""

    def authenticate(self, request: Request) -> tuple[User, Principal] | None:
        """Return the person who signed in; None for anybody else. Raises PermissionDenied without the CSRF token."""
        found = super().authenticate(request)
        return (found[0], person(found[0])) if found else None
