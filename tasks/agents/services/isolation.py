"""Switch isolation on or off for a project, and say what agents may do there."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from orchestrator_site.kernel.errors import Forbidden, invalid
from orchestrator_site.kernel.identity import Scope
from tasks import events
from tasks.agents.adapters import ADAPTERS
from tasks.agents.models import Isolation
from tasks.agents.settings import IsolationSettings, parsed
from tasks.choices import Verb
from tasks.identity.actor import Actor
from tasks.models import Project
from tasks.services.projects import folder


def set_isolation(*, project: Project, actor: Actor, is_on: bool, settings: dict[str, Any]) -> Isolation:
    """Switch it and replace the settings; what is missing there is as by default.

    Raises Forbidden for whoever is no person with `admin`, Invalid for wrong settings and a project without a folder.
    """
    actor.require(Scope.ADMIN)
    if actor.kind != "person":
        raise Forbidden("Only a person may change what agents may do, in the browser.", next="Ask one.")
    checked = parsed(settings, known_agents=tuple(ADAPTERS))
    if is_on and not folder(project.root_path):
        raise invalid([{"at": "is_on", "problem": "the project has no folder on this machine"}], next="Set it first.")
    return _replaced(project, actor, is_on, checked)


def _replaced(project: Project, actor: Actor, is_on: bool, checked: IsolationSettings) -> Isolation:
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)
        row = Isolation.objects.filter(project=project).first() or Isolation(project=project)
        before = {"is_on": row.is_on, **row.settings}
        row.is_on, row.settings = is_on, checked.stored()
        row.changed_by, row.changed_at = actor.name, timezone.now()
        row.save()
        after = {"is_on": row.is_on, **row.settings}
        if before != after:
            before, after = {"isolation": before}, {"isolation": after}
            events.record(actor=actor, verb=Verb.EDIT_PROJECT, project=project, before=before, after=after)
    return row
