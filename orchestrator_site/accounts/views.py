"""Pages for signing in with a one-time link or a password."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods

from orchestrator_site.accounts.forms import SignInForm
from orchestrator_site.accounts.links import is_usable, use_link

BACKEND = "django.contrib.auth.backends.ModelBackend"


class SignIn(LoginView):
    """The page for passwords; it also explains how to get a link."""

    authentication_form = SignInForm
    template_name = "registration/sign_in.html"
    redirect_authenticated_user = True

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_invalid(form)
        if seconds := getattr(form, "wait_seconds", 0):
            response.status_code = 429
            response["Retry-After"] = str(seconds)
        return response


@never_cache
@sensitive_variables("token", "user")
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in_link(request: HttpRequest, token: str) -> HttpResponse:
    """Ask on GET, sign in on POST: chat programs, mail scanners and browsers fetch links before anyone clicks them."""
    if request.method != "POST":
        return _private(render(request, "registration/sign_in_link.html")) if is_usable(token) else _spent(request)
    user = use_link(token)
    if user is None:
        return _spent(request)
    login(request, user, backend=BACKEND)
    return _private(redirect(settings.LOGIN_REDIRECT_URL))


def _spent(request: HttpRequest) -> HttpResponse:
    """Render the same page for all links that do not work, so that it does not reveal which tokens existed."""
    return _private(render(request, "registration/sign_in_link_spent.html", status=410))


def _private(response: HttpResponse) -> HttpResponse:
    """Keep the URL, which holds the token, out of the Referer header of further requests."""
    # With no-referrer browsers would post forms with "Origin: null", which the CSRF check rejects.
    response["Referrer-Policy"] = "strict-origin"
    return response
