"""Decorators and helpers that every page shares."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import cast
from zoneinfo import ZoneInfo

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from orchestrator_site.kernel.errors import Forbidden, OrchestratorError
from orchestrator_site.kernel.identity import Scope, scopes_of

LAST_PAGE = 1_000_000
SEARCH_CHARACTERS = 200

Page = Callable[..., HttpResponseBase]


def page(view: Page) -> Page:
    """A read-only page for signed-in users."""
    return _private(login_required(require_safe(with_errors_shown(view))))


def form(scope: Scope) -> Callable[[Page], Page]:
    """A page with a form, for users with the scope."""
    allowed = require_http_methods(["GET", "HEAD", "POST"])
    return lambda view: _private(login_required(allowed(with_errors_shown(_with_scope(scope, view)))))


def action_view(scope: Scope) -> Callable[[Page], Page]:
    """A POST-only URL that redirects to a page, for users with the scope."""
    return lambda view: login_required(require_POST(with_errors_shown(_with_scope(scope, view))))


def _with_scope(scope: Scope, view: Page) -> Page:
    @wraps(view)
    def checked(request: HttpRequest, **address: str) -> HttpResponseBase:
        require(request, scope)
        return view(request, **address)

    return checked


def _private(view: Page) -> Page:
    """Forbid shared caching, unless the view sets its own policy (downloads do), and show times of the reader."""

    @wraps(view)
    def uncached(request: HttpRequest, **address: str) -> HttpResponseBase:
        with timezone.override(_zone(request)):
            answer = view(request, **address)
        if not answer.has_header("Cache-Control"):
            patch_cache_control(answer, private=True, no_cache=True)
        return answer

    return uncached


def _zone(request: HttpRequest) -> ZoneInfo | None:
    """Return the time zone that a script of the pages reads from the browser; without one, the site's holds."""
    with suppress(KeyError, ValueError, OSError):
        return ZoneInfo(request.COOKIES.get("zone", ""))
    return None


def require(request: HttpRequest, scope: Scope) -> None:
    if scope not in scopes_of(request.user):
        raise Forbidden(
            f"Your account lacks the {scope.value!r} permission.",
            next="Ask an administrator of this site. Staff can edit and review; superusers can do everything.",
            details={"scope": scope.value},
        )


def with_errors_shown(view: Page) -> Page:
    @wraps(view)
    def shown(request: HttpRequest, **address: str) -> HttpResponseBase:
        try:
            return view(request, **address)
        except OrchestratorError as error:
            context = {"error": error, "status": error.status, "title": error.code.replace("_", " ").capitalize()}
            return render(request, "error.html", context, status=error.status)

    return shown


def user_of(request: HttpRequest) -> User:
    """Return the user of a page that requires signing in."""
    return cast(User, request.user)


def came_from(request: HttpRequest, otherwise: str) -> HttpResponse:
    """Redirect to `next` if it is a URL of this site, else to `otherwise`."""
    target = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    # `redirect` would take a word without a slash for a URL name.
    return redirect(target if is_ours and "/" in target else otherwise)


def number_in(request: HttpRequest, name: str, *, least: int, most: int) -> int:
    """Read an integer from the query; an invalid one counts as the least."""
    text = request.GET.get(name, "")
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(most)):
        return least
    return min(max(int(text), least), most)


def page_number(request: HttpRequest) -> int:
    return number_in(request, "page", least=1, most=LAST_PAGE)


def text_in(request: HttpRequest, name: str) -> str:
    return request.GET.get(name, "").replace("\x00", "").strip()[:SEARCH_CHARACTERS]
