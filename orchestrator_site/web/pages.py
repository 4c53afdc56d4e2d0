"""Decorators of pages, and reading parameters from URLs."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import cast

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.cache import patch_cache_control
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from orchestrator_site.kernel.errors import Forbidden, OrchestratorError
from orchestrator_site.kernel.identity import Scope, scopes_of

LAST_PAGE = 1_000_000
SEARCH_CHARACTERS = 200

Page = Callable[..., HttpResponseBase]


def page(view: Page) -> Page:
    """Make a read-only page for signed-in people, with our own errors shown as a page."""
    return _private(login_required(require_safe(with_errors_shown(view))))


def form(scope: Scope) -> Callable[[Page], Page]:
    """Make a page with a form, visible only to those whose scopes allow its action."""

    def made(view: Page) -> Page:
        allowed = require_http_methods(["GET", "HEAD", "POST"])
        return _private(login_required(allowed(with_errors_shown(_for(scope, view)))))

    return made


def deed(scope: Scope) -> Callable[[Page], Page]:
    """Make an address that only does something and then leads on to a page."""

    def made(view: Page) -> Page:
        return login_required(require_POST(with_errors_shown(_for(scope, view))))

    return made


def _for(scope: Scope, view: Page) -> Page:
    @wraps(view)
    def checked(request: HttpRequest, **address: str) -> HttpResponseBase:
        require(request, scope)
        return view(request, **address)

    return checked


def _private(view: Page) -> Page:
    """Keep a page out of shared caches and revalidate it; downloads set their own headers."""

    @wraps(view)
    def kept(request: HttpRequest, **address: str) -> HttpResponseBase:
        answer = view(request, **address)
        if not answer.has_header("Cache-Control"):
            patch_cache_control(answer, private=True, no_cache=True)
        return answer

    return kept


def require(request: HttpRequest, scope: Scope) -> None:
    """Check a person's scope, with a message for people. Raises Forbidden."""
    if scope not in scopes_of(request.user):
        raise Forbidden(
            f"Your account may not do this: it lacks {scope.value!r}.",
            next="Ask a superuser of this site. Staff may work and review, superusers may do everything.",
            details={"scope": scope.value},
        )


def with_errors_shown(view: Page) -> Page:
    @wraps(view)
    def shown(request: HttpRequest, **address: str) -> HttpResponseBase:
        try:
            return view(request, **address)
        except OrchestratorError as error:
            return error_page(request, error)

    return shown


def error_page(request: HttpRequest, error: OrchestratorError) -> HttpResponse:
    """Return the generic page of an error."""
    context = {"error": error, "status": error.status, "title": error.code.replace("_", " ").capitalize()}
    return render(request, "error.html", context, status=error.status)


def user_of(request: HttpRequest) -> User:
    return cast(User, request.user)


def came_from(request: HttpRequest, otherwise: str) -> HttpResponse:
    """Redirect to the page that a form was sent from (`next`), if it is one of ours."""
    target = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    # Without a slash it would be taken for the name of a URL pattern.
    return redirect(target if is_ours and "/" in target else otherwise)


def number_in(request: HttpRequest, name: str, *, least: int, most: int) -> int:
    """Read an integer from the URL; anything else counts as the least."""
    text = request.GET.get(name, "")
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(most)):
        return least
    return min(max(int(text), least), most)


def page_number(request: HttpRequest) -> int:
    return number_in(request, "page", least=1, most=LAST_PAGE)


def text_in(request: HttpRequest, name: str) -> str:
    """Read a short string from the URL."""
    return request.GET.get(name, "").replace("\x00", "").strip()[:SEARCH_CHARACTERS]
