"""Prepare a handover: write what the next context needs, and keep it as the next version."""

from __future__ import annotations

from dataclasses import replace

from django.db import IntegrityError, transaction

from artifacts.models import ArtifactVersion
from artifacts.storage.verify import State, examine
from maintenance.choices import Level
from maintenance.handover.document import Document, document
from maintenance.models import Handover
from maintenance.selectors.handover_facts import Facts
from maintenance.selectors.handover_rows import facts_of
from maintenance.selectors.handovers import handover_by_number
from maintenance.selectors.scope import Scope
from maintenance.services.switches import require_on
from orchestrator_site.kernel.errors import Conflict, Invalid
from orchestrator_site.kernel.identity import Scope as Permission
from tasks.identity.actor import Actor
from tasks.models import Project
from tasks.project_settings import setting

FEWEST_CHARS, MOST_CHARS = 2_000, 100_000
KEPT = 50
"""Handovers of a project."""
_BATCH = 20
_ATTEMPTS = 20


def prepare(
    *,
    scope: Scope,
    actor: Actor,
    level: Level = Level.BASIC,
    max_chars: int | None = None,
    since: int | None = None,
) -> Handover:
    """Keep a handover of a scope; the newest one is returned where it says the same of the same event.

    `since` is the number of an earlier handover, by default the one before. Raises Invalid for an impossible
    `max_chars`, NotFound for an unknown number, Forbidden for an actor that may not write, Conflict where the project
    has none.
    """
    actor.require(Permission.WRITE)
    require_on(scope.project, "handover.prepare")
    before = handover_by_number(scope.project, since) if since is not None else None
    limit = _limit(scope.project, level, max_chars)
    facts = facts_of(scope, level, since=before)
    if level == Level.FULL_AUDIT:
        facts = replace(facts, states=_audited(facts))
    made = document(facts, max_chars=limit)
    return _same(made) or _kept(made, actor)


def _limit(project: Project, level: Level, max_chars: int | None) -> int:
    if max_chars is not None and not FEWEST_CHARS <= max_chars <= MOST_CHARS:
        raise Invalid(f"max_chars: from {FEWEST_CHARS:,} to {MOST_CHARS:,}.", next="Correct or omit it.")
    usual = int(setting(project, "handover.max_chars"))
    return max_chars or min(usual if level == Level.BASIC else 2 * usual, MOST_CHARS)


def _audited(facts: Facts) -> dict[int, str]:
    """Read the newest version of each artifact in full, and say how each is."""
    latest = {artifact.pk: artifact.version for artifact in facts.artifacts.rows}
    rows = ArtifactVersion.objects.filter(artifact_id__in=latest).select_related("content").order_by("pk")
    states: dict[int, str] = {}
    for version in rows.iterator(chunk_size=10):
        if version.number == latest[version.artifact_id]:
            state = examine(version.content).state
            states[version.artifact_id] = "sound" if state is State.SOUND else "damaged"
    return states


def _same(made: Document) -> Handover | None:
    scope = made.facts.scope
    alike = Handover.objects.filter(project=scope.project, scope=scope.word, subject=scope.subject)
    newest = alike.filter(level=made.facts.level).order_by("-number").first()
    is_same = newest and (newest.sha256, newest.cursor) == (made.sha256, made.facts.cursor)
    return newest if is_same else None


def _kept(made: Document, actor: Actor) -> Handover:
    for _ in range(_ATTEMPTS):
        try:
            with transaction.atomic():
                handover = _insert(made, actor)
        except IntegrityError:  # another took the number
            continue
        _forget_old(handover)
        return handover
    raise Conflict("Others prepare handovers all the time.", next="Retry.")


def _insert(made: Document, actor: Actor) -> Handover:
    scope = made.facts.scope
    newest = Handover.objects.filter(project=scope.project).order_by("-number").values_list("number", flat=True).first()
    number = (newest or 0) + 1
    return Handover.objects.create(
        project=scope.project,
        number=number,
        scope=scope.word,
        subject=scope.subject,
        level=made.facts.level,
        text=made.text(number),
        sha256=made.sha256,
        cursor=made.facts.cursor,
        actor_name=actor.name,
    )


def _forget_old(newest: Handover) -> None:
    """Delete the oldest beyond `KEPT`, a few with each new one."""
    old = Handover.objects.filter(project=newest.project_id, number__lte=newest.number - KEPT).order_by("number")
    if keys := list(old.values_list("pk", flat=True)[:_BATCH]):
        Handover.objects.filter(pk__in=keys).delete()
