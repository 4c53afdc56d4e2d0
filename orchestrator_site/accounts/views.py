"""The pages for signing in: with a one-time link, or with a password."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods

from orchestrator_site.accounts.links import is_usable, use_link

BACKEND = "django.contrib.auth.backends.ModelBackend"


class SignIn(LoginView):
    """For people who have a password; it tells everybody else how to get a link."""

    template_name = "registration/sign_in.html"
    redirect_authenticated_user = True


@never_cache
@sensitive_variables("token")
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in_link(request: HttpRequest, token: str) -> HttpResponse:
    """Ask on GET, sign in on POST.

    A GET must not use the link up: chat programs, mail scanners and browsers fetch links before anybody clicks them.
    """
    if request.method == "POST":
        return _use(request, token)
    if not is_usable(token):
        return _spent(request)
    return _private(render(request, "registration/sign_in_link.html"))


@sensitive_variables("token", "user")
def _use(request: HttpRequest, token: str) -> HttpResponse:
    user = use_link(token)
    if user is None:
        return _spent(request)
    login(request, user, backend=BACKEND)
    return _private(redirect(settings.LOGIN_REDIRECT_URL))


def _spent(request: HttpRequest) -> HttpResponse:
    """Say no more than that: whether a token ever existed is nobody's business."""
    return _private(render(request, "registration/sign_in_link_spent.html", status=410))


def _private(response: HttpResponse) -> HttpResponse:
    """Keep the address, which holds the token, from travelling: `strict-origin` sends the name of the site only.

    `no-referrer` would make browsers post the page's forms with `Origin: null`, which the CSRF check refuses.
    """
    response["Referrer-Policy"] = "strict-origin"
    return response
