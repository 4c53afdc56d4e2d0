"""Whether the sample project exists."""

from __future__ import annotations

from django import template

from orchestrator_site.sample.load import sample_project

register = template.Library()
register.simple_tag(sample_project)
