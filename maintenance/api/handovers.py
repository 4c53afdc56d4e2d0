"""/projects/{project}/handovers: list them, read one with its difference from another, and prepare the next."""

from __future__ import annotations

import difflib
from typing import Any

from django.urls import reverse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from maintenance.choices import Level, ScopeWord
from maintenance.models import Handover
from maintenance.selectors import scope
from maintenance.selectors.handovers import handover_by_number, handovers, moved_since
from maintenance.services.handover import FEWEST_CHARS, MOST_CHARS, prepare
from orchestrator_site.kernel.errors import Invalid, NotFound
from orchestrator_site.rest.fields import Body, Choice, Integer, String
from orchestrator_site.rest.idempotency import Reply
from orchestrator_site.rest.query_params import IntegerParameter
from tasks.api.base import ProjectApi
from tasks.identity.actor import Actor
from tasks.models import Project
from tasks.selectors.find import task_by_id

LAST_NUMBER = 2**31 - 1
DIFF = IntegerParameter("diff", "The number of another handover to compare with.", least=1, most=LAST_NUMBER)


class HandoverRow(serializers.ModelSerializer[Handover]):
    """A handover in a list, without its text; `subject` is the session or task of a narrower scope."""

    level = serializers.ChoiceField(Level.choices)

    class Meta:
        model = Handover
        fields: tuple[str, ...] = (
            "number", "scope", "subject", "level", "cursor", "sha256", "actor_name", "created_at"
        )  # fmt: skip


class HandoverShape(HandoverRow):
    """A handover. `sha256` is of its text below the head, `events_since` counts up to 1,001.

    `diff` is a unified diff, null unless it was asked for.
    """

    events_since = serializers.SerializerMethodField()
    diff = serializers.SerializerMethodField()

    class Meta(HandoverRow.Meta):
        fields = (*HandoverRow.Meta.fields, "text", "events_since", "diff")

    def get_events_since(self, handover: Handover) -> int:
        return moved_since(handover)

    def get_diff(self, handover: Handover) -> str | None:
        other: Handover | None = self.context.get("other")
        return None if other is None else unified(other, handover)


class HandoverBody(Body):
    """`task_id` is for `specific_subtask`; the scope is the project by default."""

    scope = Choice(ScopeWord.values, required=False)
    level = Choice(Level.values, required=False)
    task_id = String(required=False)
    max_chars = Integer(required=False, min_value=FEWEST_CHARS, max_value=MOST_CHARS)
    since = Integer(required=False, min_value=1, max_value=LAST_NUMBER)
    session_id = String(required=False)


class HandoverViews(ProjectApi):
    """Handovers of a project by their number."""

    queryset = Handover.objects.all()
    serializer_class = HandoverShape
    lookup_field = "number"
    answers = {"list": HandoverRow}
    bodies = {"create": HandoverBody}
    statuses = {"create": 201}
    parameters = {"retrieve": (DIFF,)}

    def list(self, request: Request, project: str) -> Response:
        """List handovers."""
        return self.listed(handovers(self.project(project)))

    def retrieve(self, request: Request, project: str, number: str) -> Response:
        """Read a handover; with `diff`, also how it differs from another."""
        found = self.project(project)
        if not (number.isascii() and number.isdigit() and len(number) <= len(str(LAST_NUMBER))):
            raise NotFound(
                f"No handover {number[:80]!r}.", next=f"GET /api/v1/projects/{found.slug}/handovers lists them."
            )
        other = DIFF.read(request)
        self._other = handover_by_number(found, other) if other else None
        return self.shown(handover_by_number(found, int(number)))

    def create(self, request: Request, project: str) -> Response:
        """Prepare a handover; if nothing has changed, the newest one is returned again."""
        found = self.project(project)
        actor, given = self.actor(found), self.given()
        about = _scope(found, actor, given)
        level = Level(given.get("level", Level.BASIC))
        limits = {name: given[name] for name in ("max_chars", "since") if name in given}

        def produce() -> Reply:
            made = prepare(scope=about, actor=actor, level=level, **limits)
            return self.reply(made, status=201, location=reverse("api-handover", args=[found.slug, made.number]))

        return self.once(produce, project=found)

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "other": getattr(self, "_other", None)}


def unified(old: Handover, new: Handover) -> str:
    before, after = old.text.splitlines(), new.text.splitlines()
    names = f"handover {old.number}", f"handover {new.number}"
    return "\n".join(difflib.unified_diff(before, after, names[0], names[1], lineterm=""))


def _scope(project: Project, actor: Actor, given: dict[str, Any]) -> scope.Scope:
    word = given.get("scope", ScopeWord.FULL_PROJECT)
    if word == ScopeWord.SPECIFIC_SUBTASK:
        if "task_id" not in given:
            raise Invalid("task_id: is required for specific_subtask.", next="Send the id of a task.")
        return scope.of_task(task_by_id(project, given["task_id"]))
    if word == ScopeWord.FULL_PROJECT:
        return scope.of_project(project)
    if actor.session is None:
        raise Invalid("scope: a person who signed in has no session.", next="Send full_project.")
    return scope.of_session(actor.session)
