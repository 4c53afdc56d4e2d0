"""How to connect an assistant, whether the sample project exists, and the restarts of the site."""

from __future__ import annotations

from typing import Any

from django import template

from orchestrator_site.connect.clients import CLIENTS, Client
from orchestrator_site.restarts import REASON, latest
from orchestrator_site.sample.load import sample_project
from orchestrator_site.up.connect import claude_code_line, connect_line
from orchestrator_site.up.serving import own_supervisor

RESTARTS_SHOWN = 5

register = template.Library()
register.simple_tag(claude_code_line)
register.simple_tag(sample_project)


@register.simple_tag
def connect_lines() -> list[tuple[Client, str]]:
    """Return each assistant with the command to paste."""
    return [(client, connect_line(client.name)) for client in CLIENTS]


@register.inclusion_tag("_restarts.html", takes_context=True)
def restarts(context: template.Context) -> dict[str, Any]:
    """Show the newest restarts, and the button for another."""
    return {
        "rows": latest(RESTARTS_SHOWN),
        "supervisor": own_supervisor(),
        "limit": REASON,
        "request": context["request"],
        "csrf_token": context["csrf_token"],
    }
