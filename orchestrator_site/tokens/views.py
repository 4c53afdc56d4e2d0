"""Pages to list, make and revoke access tokens."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods

from orchestrator_site.tokens.forms import TokenForm
from orchestrator_site.tokens.service import find_token, revoke_token, tokens_of
from orchestrator_site.web.pages import Page, page_number, user_of, with_errors_shown
from tasks.selectors.rows import page_of

TOKENS_PER_PAGE = 50


def _page(view: Page) -> Page:
    allowed = require_http_methods(["GET", "HEAD", "POST"])
    return never_cache(login_required(allowed(with_errors_shown(view))))


@_page
def tokens(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return _create(request, TokenForm(user_of(request), request.POST))
    return _list(request, TokenForm(user_of(request)))


@_page
def revoke(request: HttpRequest, public_id: str) -> HttpResponseBase:
    """Ask on GET, revoke on POST. Only superusers find the tokens of others."""
    user = user_of(request)
    found = find_token(public_id, owner=None if user.is_superuser else user)
    if request.method != "POST":
        return render(request, "tokens/revoke.html", {"token": found})
    revoke_token(token=found)
    messages.success(request, f"Token “{found.name}” revoked. Requests that use it are now rejected.")
    return redirect("tokens")


@sensitive_variables("secret", "made", "context")
def _create(request: HttpRequest, form: TokenForm) -> HttpResponse:
    made = form.create()
    if made is None:
        return _list(request, form)
    token, secret = made
    site = request.build_absolute_uri("/").rstrip("/")
    context = {"token": token, "secret": secret, "site": site}
    return render(request, "tokens/created.html", context)


def _list(request: HttpRequest, form: TokenForm) -> HttpResponse:
    user = user_of(request)
    shows_all = user.is_superuser and request.GET.get("owner") == "all"
    rows = page_of(tokens_of(None if shows_all else user), page=page_number(request), size=TOKENS_PER_PAGE)
    return render(request, "tokens/tokens.html", {"rows": rows, "form": form, "shows_all": shows_all})
