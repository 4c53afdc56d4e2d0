"""Load the sample project, all of it or nothing and only once, and remove it again."""

from __future__ import annotations

from pathlib import Path

import yaml
from django.db import transaction

from orchestrator_site.kernel.errors import Conflict
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.sample import CONNECTION
from orchestrator_site.sample.times import Timeline
from tasks.identity.actor import Actor
from tasks.models import Project
from tasks.services.edit_project import create_project

NAME = "Sample: bookshop checkout"
SLUGS = ("sample", "sample-bookshop", "sample-bookshop-checkout")
"""The slugs it may get: the first ones may be taken."""
_STORY = Path(__file__).parent / "story.yaml"


def sample_project() -> Project | None:
    """Return the sample if it is loaded; its sessions identify it even after it is renamed."""
    return Project.objects.filter(sessions__connection_id=f"{CONNECTION}claude-code").order_by("id").first()


def load_sample(*, actor: Actor) -> Project:
    """Return the sample project, loading it on the first call; safe to call concurrently.

    Raises Forbidden for an actor that may not create projects, Conflict if all its slugs are taken.
    """
    actor.require(Scope.ADMIN)
    for slug in SLUGS:
        if found := sample_project():
            return found
        try:
            return _load(slug, actor)
        except Conflict:
            if not Project.objects.filter(slug=slug).exists():
                raise
    if not (found := sample_project()):
        raise Conflict(f"Other projects already use all of the sample's slugs: {', '.join(SLUGS)}.")
    return found


@transaction.atomic
def _load(slug: str, actor: Actor) -> Project:
    """The project is created first: a concurrent load waits here and then finds it."""
    from orchestrator_site.sample.player import Player  # it takes a second to load the tools and their SDK

    project = create_project(actor=actor, name=NAME, slug=slug)
    story = yaml.safe_load(_STORY.read_text(encoding="utf-8"))
    player, timeline = Player(project, actor, story["plans"]), Timeline(project)
    for step in story["steps"]:
        player.play(step)
        timeline.date_events(step.get("hours_ago"))
    player.meter.flush()
    timeline.save()
    return project


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
