"""Addresses of pages that a project has, and the site too for its own templates."""

from __future__ import annotations

from django.urls import reverse

from tasks.models import Project


def library_address(project: Project | None, page: str, *words: object) -> str:
    return reverse(page, args=[project.slug, *words]) if project else reverse(f"site-{page}", args=words)
