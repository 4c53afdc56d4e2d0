"""Remove the sample project and everything in it."""

from __future__ import annotations

from django.db import transaction

from orchestrator_site.kernel.identity import Scope
from orchestrator_site.sample.load import sample_project
from tasks.identity.actor import Actor
from tasks.models import Project


def remove_sample(*, actor: Actor, seen: str | None = None) -> bool:
    """Remove the sample project; returns whether there was one.

    `seen` is the key of the project the person confirmed; a sample loaded since then is kept. Content that nothing else
    refers to is deleted by the next sweep. Raises Forbidden for an actor that may not create projects.
    """
    actor.require(Scope.ADMIN)
    found = sample_project()
    if found is None or seen not in (None, str(found.pk)):
        return False
    with transaction.atomic():
        # The lock makes a concurrent write either part of the removal or fail because the project is gone.
        project = Project.objects.select_for_update().filter(pk=found.pk).first()
        return project is not None and project.delete()[0] > 0
