"""Take the sample project away again, with everything that was done in it."""

from __future__ import annotations

from django.db import transaction

from orchestrator_site.kernel.identity import Scope
from orchestrator_site.sample.load import sample_project
from tasks.identity.actor import Actor
from tasks.models import Project


def remove_sample(*, actor: Actor, seen: str | None = None) -> bool:
    """Remove the sample project; returns whether it was here.

    `seen` is the key of the one that the person was shown: another, loaded since then, stays.

    Bytes of its works that nothing else names go with a later sweep, as all such bytes do. Raises Forbidden for an
    actor that may not make projects.
    """
    actor.require(Scope.ADMIN)
    found = sample_project()
    if found is None or seen not in (None, str(found.pk)):
        return False
    with transaction.atomic():
        # Locked, so that whoever adds to it at this moment is either taken along or told that it is gone.
        project = Project.objects.select_for_update().filter(pk=found.pk).first()
        return project is not None and project.delete()[0] > 0
