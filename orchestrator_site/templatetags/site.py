"""How to connect an assistant, and whether the sample project exists."""

from __future__ import annotations

from django import template

from orchestrator_site.connect.clients import CLIENTS, Client
from orchestrator_site.sample.load import sample_project
from orchestrator_site.up.connect import claude_code_line, connect_line

register = template.Library()
register.simple_tag(claude_code_line)
register.simple_tag(sample_project)


@register.simple_tag
def connect_lines() -> list[tuple[Client, str]]:
    """Return each assistant with the command to paste."""
    return [(client, connect_line(client.name)) for client in CLIENTS]
