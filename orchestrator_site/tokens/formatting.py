"""Descriptions of scopes, and parsing of what people enter for expiry and project."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from django.utils import timezone

from orchestrator_site.kernel.errors import Invalid, NotFound
from orchestrator_site.kernel.identity import Scope
from tasks.models import Project
from tasks.services import projects

DESCRIPTIONS = {
    Scope.READ: "Read projects, plans, tasks, artifacts and events.",
    Scope.WRITE: "Plan, claim, complete and manage tasks. Includes read.",
    Scope.REVIEW: "Approve deliveries or request revisions. Includes read.",
    Scope.ADMIN: "Everything but attest, including access tokens.",
    Scope.ATTEST: "Report what allow-listed commands did, as manage.py attest does. Includes read.",
}
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_FORMATS = "Use a duration such as 12h, 30d or 8w, a date such as 2031-12-31, or never."


def parse_expiry(text: str) -> datetime | None:
    """Parse a duration such as `30d`, a date (its end, in UTC), a timestamp in ISO 8601, or `never`. Raises Invalid."""
    clean = text.strip()
    if clean in ("", "never"):
        return None
    try:
        if duration := re.fullmatch(r"(\d{1,9})([hdw])", clean, re.ASCII):
            return timezone.now() + int(duration[1]) * _UNITS[duration[2]]
        if re.fullmatch(r"\d{4}-\d\d-\d\d", clean, re.ASCII):
            return datetime.combine(date.fromisoformat(clean), time.max, UTC)
        timestamp = datetime.fromisoformat(clean)
    except (ValueError, OverflowError) as error:
        raise Invalid(f"expires: {clean[:40]!r} is not a time.", next=_FORMATS) from error
    return timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)


def find_project(text: str) -> Project:
    folder = Path(text).expanduser()
    if found := Project.objects.filter(slug=text).first():
        return found
    if not folder.is_dir():
        raise NotFound(
            f"project: {text!r} is neither the slug of a project nor a folder.",
            next="A project's slug is part of its URL; the home page lists all projects.",
        )
    return projects.project_at(projects.find_folder(explicit=str(folder.resolve()), environ={}, working_directory=""))
