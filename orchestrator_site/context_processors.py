"""What every page can show: the theme, what awaits a person, and that nothing was or can be changed."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject
from django.views.decorators.http import require_POST

from maintenance.selectors.open_findings import count_serious
from orchestrator_site.kernel import read_only
from orchestrator_site.kernel.commits import unchanged
from orchestrator_site.web.pages import came_from
from tasks.agents.selectors.pages import count_asks, count_live
from tasks.selectors.counts import waiting

THEMES = {"auto": "System", "light": "Light", "dark": "Dark"}
COOKIE = "theme"
YEAR_SECONDS = 365 * 24 * 3600


def frame(request: HttpRequest) -> dict[str, object]:
    chosen = request.COOKIES.get(COOKIE, "")
    facts: dict[str, object] = {
        "theme": chosen if chosen in THEMES else "auto",
        "themes": THEMES.items(),
        "unchanged": unchanged,
        "is_read_only": read_only.is_on(),
    }
    if getattr(request, "user", None) is not None and request.user.is_authenticated:
        facts["waits"] = SimpleLazyObject(lambda: waiting(count_serious(), count_asks(), beside=count_live()))
    return facts


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Store the theme of this browser in a cookie, so that the first paint is right."""
    answer = came_from(request, "projects")
    chosen = request.POST.get("theme", "")
    if chosen in THEMES:
        answer.set_cookie(
            COOKIE, chosen, max_age=YEAR_SECONDS, samesite="Lax", secure=request.is_secure(), httponly=False
        )
    return answer
