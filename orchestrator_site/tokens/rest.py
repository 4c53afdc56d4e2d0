"""Authentication of the REST API: by access token, or by the session of a person who signed in."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.utils.functional import SimpleLazyObject
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.request import Request

from orchestrator_site.kernel.identity import Principal, person
from orchestrator_site.rest.problems import CredentialsError
from orchestrator_site.tokens.bearer import TokenError, authenticate, bearer_of


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer TOKEN`; `request.auth` is the principal of the token."""

    def authenticate(self, request: Request) -> tuple[Any, Principal] | None:
        secret = bearer_of(request.headers.get("Authorization", ""))
        if secret is None:
            return None
        try:
            principal = authenticate(secret, address=request.META.get("REMOTE_ADDR", ""))
        except TokenError as error:
            raise CredentialsError(error.message, status=error.status, headers=error.headers) from error
        if principal.task_id is not None:
            raise CredentialsError("The access token of a run is for MCP alone.", status=403, headers={})
        return SimpleLazyObject(lambda: User.objects.get(pk=principal.user_id or 0)), principal

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="task-orchestrator"'


class PersonAuthentication(SessionAuthentication):
    """The session cookie of the site, with CSRF protection."""

    def authenticate(self, request: Request) -> tuple[User, Principal] | None:
        found = super().authenticate(request)
        return (found[0], person(found[0])) if found else None
