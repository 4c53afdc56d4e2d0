"""Whose request it is, asked before its body is taken."""

from __future__ import annotations

from hashlib import sha256
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.http import HttpRequest, parse_cookie
from starlette.datastructures import Headers

from orchestrator_site.kernel.identity import Principal, person
from orchestrator_site.tokens.bearer import TokenError, authenticate, bearer_of

_LONGEST_COOKIE = 512


def credential_of(scope: Any) -> str:
    """Return a digest of the access token, or else of the session, that a request names; empty where it names none.

    The same for every way to write it down. Whether it is good is not checked.
    """
    headers = Headers(scope=scope)
    secret = bearer_of(headers.get("authorization", "")) or _session_key(headers)
    return sha256(secret.encode()).hexdigest() if secret else ""


def sender_of(scope: Any) -> Principal | None:
    """Return whose valid access token, or session, came with a request."""
    headers = Headers(scope=scope)
    if secret := bearer_of(headers.get("authorization", "")):
        try:
            return authenticate(secret, address=(scope.get("client") or ("",))[0])
        except TokenError:
            return None
    return _person_of(_session_key(headers))


def _session_key(headers: Headers) -> str:
    """Return what Django takes for it, without unquoting what is long: that costs the square of its length."""
    cookies = (each.partition("=") for each in ";".join(headers.getlist("cookie")).split(";"))
    name = settings.SESSION_COOKIE_NAME
    values = [value.strip() for key, _, value in cookies if key.strip() == name]
    if not values or len(values[-1]) > _LONGEST_COOKIE:
        return ""
    key: str = parse_cookie(f"{name}={values[-1]}")[name]
    return key


def _person_of(session_key: str) -> Principal | None:
    if not session_key:
        return None
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    user = get_user(request)
    return person(user) if isinstance(user, User) else None
