"""Whether a request comes from a caller of this site, asked before its body is taken."""

from __future__ import annotations

from hashlib import sha256
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest, parse_cookie
from starlette.datastructures import Headers

from orchestrator_site.tokens.bearer import TokenError, authenticate, bearer_of

_LONGEST_COOKIE = 512


def credential_of(scope: Any) -> str:
    """Return a digest of the access token, or else of the session, that a request names; empty where it names none.

    The same for every way to write it down. Whether it is good is not checked.
    """
    headers = Headers(scope=scope)
    secret = bearer_of(headers.get("authorization", "")) or _session_key(headers)
    return sha256(secret.encode()).hexdigest() if secret else ""


def is_caller(scope: Any) -> bool:
    """Return whether a valid access token, or the session of a person, came with a request."""
    headers = Headers(scope=scope)
    if secret := bearer_of(headers.get("authorization", "")):
        try:
            authenticate(secret, address=(scope.get("client") or ("",))[0])
        except TokenError:
            return False
        return True
    return _is_person(_session_key(headers))


def _session_key(headers: Headers) -> str:
    """Return what Django takes for it, without unquoting what is long: that costs the square of its length."""
    cookies = (each.partition("=") for each in ";".join(headers.getlist("cookie")).split(";"))
    name = settings.SESSION_COOKIE_NAME
    values = [value.strip() for key, _, value in cookies if key.strip() == name]
    if not values or len(values[-1]) > _LONGEST_COOKIE:
        return ""
    key: str = parse_cookie(f"{name}={values[-1]}")[name]
    return key


def _is_person(session_key: str) -> bool:
    if not session_key:
        return False
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    return bool(get_user(request).is_authenticated)
