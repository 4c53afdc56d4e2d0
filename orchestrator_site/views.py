"""The button that restarts the site."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse

from orchestrator_site.kernel.errors import Unavailable
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.models import Restart
from orchestrator_site.restarts import REASON
from orchestrator_site.up.serving import begin_restart, has_ended, own_supervisor
from orchestrator_site.web.pages import action_view, came_from, user_of

PATIENCE_SECONDS = 10.0
"""A restart takes about two; the page shows how one that upgrades the database goes on."""


@action_view(Scope.ADMIN)
def restart(request: HttpRequest) -> HttpResponse:
    """Restart the site, and go back to the page, which the next web server answers."""
    supervisor = own_supervisor()
    if supervisor is None:
        raise Unavailable(
            "This server was not started by `up`, so nothing could start it again.", next="Restart it where it runs."
        )
    reason = request.POST.get("reason", "").replace("\x00", "").strip()[:REASON]
    _say(request, begin_restart(supervisor, who=user_of(request).get_username(), reason=reason))
    return came_from(request, "projects")


def _say(request: HttpRequest, asked: Restart | None) -> None:
    if asked is None:
        messages.error(request, "The site was not restarted: its supervisor has gone. Start it again: manage.py up")
    elif not has_ended(asked, within=PATIENCE_SECONDS):
        messages.info(request, "The site is restarting. This server goes on until the next one serves.")
    elif asked.problem:
        messages.error(request, f"The site was not restarted, and goes on as before. {asked.problem}")
    else:
        messages.success(request, "The site was restarted.")
