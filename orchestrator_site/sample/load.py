"""Load the sample project: everything at once, or nothing; once more gives the one that is there."""

from __future__ import annotations

from django.db import transaction

from orchestrator_site.kernel.errors import Conflict
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.sample import story, times
from orchestrator_site.sample.calls import CONNECTION
from orchestrator_site.sample.team import Team
from tasks.identity.actor import Actor
from tasks.models import Project
from tasks.services.edit_project import create_project

NAME = "Sample: a bookshop's checkout"
SLUGS = ("sample", "sample-bookshop", "sample-bookshop-checkout")
"""The addresses it may get: a project of a person may have taken the first ones."""


def sample_project() -> Project | None:
    """Return the sample, if it is here; its sessions tell it, whatever it is called meanwhile."""
    return Project.objects.filter(sessions__connection_id=f"{CONNECTION}claude-code").order_by("id").first()


def load_sample(*, actor: Actor) -> Project:
    """Return the sample project, loading it on the first call; safe while others do the same.

    Raises Forbidden for an actor that may not make projects, Conflict where its addresses belong to others.
    """
    actor.require(Scope.ADMIN)
    for slug in SLUGS:
        found = sample_project()
        if found is not None:
            return found
        try:
            return _load(slug, actor)
        except Conflict:
            if not Project.objects.filter(slug=slug).exists():
                raise
    found = sample_project()
    if found is None:
        raise Conflict(
            "Other projects have the addresses of the sample.", next="Rename nothing: look at those instead."
        )
    return found


@transaction.atomic
def _load(slug: str, actor: Actor) -> Project:
    """Making the project comes first: who makes it at the same time waits here, and then finds it made."""
    project = create_project(actor=actor, name=NAME, slug=slug)
    team = Team(project, actor)
    story.tell(team)
    team.meter.flush()
    times.lay_out(project, team.moments)
    return project
