"""Whether a request comes from a caller of this site, asked before its body is taken."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest
from starlette.datastructures import Headers

from orchestrator_site.tokens.bearer import TokenError, authenticate, bearer_of


def is_caller(scope: Any) -> bool:
    """Return whether a valid access token, or the session of a person, came with a request."""
    headers = Headers(scope=scope)
    if secret := bearer_of(headers.get("authorization", "")):
        try:
            authenticate(secret, address=(scope.get("client") or ("",))[0])
        except TokenError:
            return False
        return True
    return _is_person(headers.get("cookie", ""))


def _is_person(cookies: str) -> bool:
    try:
        found = SimpleCookie(cookies).get(settings.SESSION_COOKIE_NAME)
    except CookieError:
        return False
    if found is None:
        return False
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(found.value)
    return bool(get_user(request).is_authenticated)
