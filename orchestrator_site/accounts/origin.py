"""Bind the session of a person to the origin where it began: browsers send cookies to every port of a host."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.middleware import get_user
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin
from django.utils.functional import SimpleLazyObject

KEY = "origin"


@receiver(user_logged_in)
def bind(*, request: HttpRequest, **_: Any) -> None:
    if "SERVER_NAME" in request.META:  # not where a test or a command signs someone in
        request.session[KEY] = _origin_of(request)


class BoundSession(MiddlewareMixin):
    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        """Ignore a session from another origin. It goes on where it began."""
        request.user = SimpleLazyObject(lambda: _user_of(request))  # type: ignore[assignment]  # as Django does
        return None


def _user_of(request: HttpRequest) -> AbstractBaseUser | AnonymousUser:
    if request.session.get(KEY) in (None, _origin_of(request)):
        return get_user(request)
    return AnonymousUser()


def _origin_of(request: HttpRequest) -> str:
    return f"{request.scheme}://{request.get_host()}"
