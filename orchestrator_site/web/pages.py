"""What every page is made with: who may see it, what a form may do, and how an address is read."""

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
    """Make a page: for people who signed in, read-only, with our own errors shown as a page."""
    return _private(login_required(require_safe(with_errors_shown(view))))


def form(scope: Scope) -> Callable[[Page], Page]:
    """Make a page with a form on it, for those whose scopes allow what it does; others do not see it either."""

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
    """Let a page be kept for nobody else, and asked for again; files that a page answers say their own."""

    @wraps(view)
    def kept(request: HttpRequest, **address: str) -> HttpResponseBase:
        answer = view(request, **address)
        if not answer.has_header("Cache-Control"):
            patch_cache_control(answer, private=True, no_cache=True)
        return answer

    return kept


def require(request: HttpRequest, scope: Scope) -> None:
    """Check what the person may do, in words for people: access tokens are for programs. Raises Forbidden."""
    if scope not in scopes_of(request.user):
        raise Forbidden(
            f"Your account may not do this: it lacks {scope.value!r}.",
            next="Ask a superuser of this site. Staff may work and review, superusers may do everything.",
            details={"scope": scope.value},
        )


def with_errors_shown(view: Page) -> Page:
    """Show our own errors as a page."""

    @wraps(view)
    def shown(request: HttpRequest, **address: str) -> HttpResponseBase:
        try:
            return view(request, **address)
        except OrchestratorError as error:
            return error_page(request, error)

    return shown


def error_page(request: HttpRequest, error: OrchestratorError) -> HttpResponse:
    """Return the page of an error that nothing better can be made of."""
    context = {"error": error, "status": error.status, "title": error.code.replace("_", " ").capitalize()}
    return render(request, "error.html", context, status=error.status)


def user_of(request: HttpRequest) -> User:
    """Return the person; pages are made for those who signed in."""
    return cast(User, request.user)


def came_from(request: HttpRequest, otherwise: str) -> HttpResponse:
    """Lead on to the page that a form was sent from (`next`), which is one of ours, or to another one."""
    target = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    # A word without a slash would be taken for the name of a page.
    return redirect(target if is_ours and "/" in target else otherwise)


def number_in(request: HttpRequest, name: str, *, least: int, most: int) -> int:
    """Read a whole number from the address; nonsense counts as the least."""
    text = request.GET.get(name, "")
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(most)):
        return least
    return min(max(int(text), least), most)


def page_number(request: HttpRequest) -> int:
    """Read which page of a list is asked for."""
    return number_in(request, "page", least=1, most=LAST_PAGE)


def text_in(request: HttpRequest, name: str) -> str:
    """Read a short text from the address."""
    return request.GET.get(name, "").replace("\x00", "").strip()[:SEARCH_CHARACTERS]
