"""How to connect an assistant, and whether the sample project exists."""

from __future__ import annotations

from dataclasses import dataclass

from django import template

from orchestrator_site.connect.clients import CLIENTS
from orchestrator_site.sample.load import sample_project
from orchestrator_site.up.connect import claude_code_line, connect_line

register = template.Library()
register.simple_tag(claude_code_line)
register.simple_tag(sample_project)


@dataclass(frozen=True, slots=True)
class Line:
    """A command to paste for one assistant, and the step after it."""

    name: str
    title: str
    command: str
    afterwards: str


@register.simple_tag
def connect_lines() -> list[Line]:
    return [Line(each.name, each.title, connect_line(each.name), each.afterwards) for each in CLIENTS]
