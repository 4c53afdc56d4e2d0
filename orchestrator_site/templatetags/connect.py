"""How a page tells a person to connect an assistant."""

from __future__ import annotations

from django import template

from orchestrator_site.up.connect import claude_code_line

register = template.Library()
register.simple_tag(claude_code_line)
