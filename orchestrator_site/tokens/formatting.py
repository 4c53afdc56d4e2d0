"""What people write and read of access tokens: what a scope allows, how long one lives, which project one is for."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from django.utils import timezone

from orchestrator_site.kernel.errors import Invalid, NotFound
from orchestrator_site.kernel.identity import Scope
from tasks.models import Project
from tasks.services import projects

ALLOWS = {
    Scope.READ: "See projects, plans, tasks, artifacts and events.",
    Scope.WRITE: "Plan, claim, deliver and steer work. Includes read.",
    Scope.REVIEW: "Approve delivered work or send it back. Includes read.",
    Scope.ADMIN: "Everything, also making and revoking access tokens.",
}
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_HOW = "Say how long, such as 12h, 30d or 8w, or a day such as 2031-12-31, or never."


def expiry_of(text: str) -> datetime | None:
    """Read how long a token lives: `30d`, a day (its end, in UTC), a moment in ISO 8601, or `never`.

    Raises Invalid. Whether it lies ahead is for the service to say.
    """
    clean = text.strip()
    if clean in ("", "never"):
        return None
    try:
        return _after(clean) or _moment(clean)
    except (ValueError, OverflowError) as error:
        raise Invalid(f"expires: {clean[:40]!r} is no time.", next=_HOW) from error


def _after(text: str) -> datetime | None:
    found = re.fullmatch(r"(\d{1,9})([hdw])", text, re.ASCII)
    return timezone.now() + int(found[1]) * _UNITS[found[2]] if found else None


def _moment(text: str) -> datetime:
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        return datetime.combine(date.fromisoformat(text), time.max, UTC)
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def project_named(text: str) -> Project:
    """Return the project of a slug or of a folder; that of a folder is made on the first visit, as everywhere.

    Raises NotFound.
    """
    folder = Path(text).expanduser()
    if found := Project.objects.filter(slug=text).first():
        return found
    if not folder.is_dir():
        raise NotFound(
            f"project: {text!r} is neither the slug of a project nor a folder.",
            next="The site's first page shows the projects; a slug stands in the address of each.",
        )
    return projects.project_at(projects.find_root(explicit=str(folder.resolve()), environ={}, working_directory=""))
