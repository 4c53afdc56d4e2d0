"""GET /search: tasks and delivered work by words."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from artifacts.models import Artifact, Kind, SearchDocument
from artifacts.search.service import LIMIT, LIMIT_DEFAULT, Found, Hit, search, search_inside
from orchestrator_site.kernel.errors import Invalid, NotFound, invalid
from orchestrator_site.rest.base import Api
from tasks.models import Project, Task

KINDS = ("task", "artifact", *Kind.values)


class HitShape(serializers.Serializer[Hit]):
    """A task, or an artifact of one; `offset` is where to read on in the artifact, in characters."""

    kind = serializers.CharField()
    project = serializers.CharField(source="task.project.slug")
    task_id = serializers.CharField(source="task.public_id")
    title = serializers.CharField(source="task.title")
    status = serializers.CharField(source="task.status")
    artifact_id = serializers.CharField(source="artifact.public_id", allow_null=True, default=None)
    path = serializers.CharField(allow_null=True)
    offset = serializers.IntegerField(source="snippet.offset")
    snippet = serializers.CharField(source="snippet.text")


class FoundShape(serializers.Serializer[Any]):
    """The best hits first; inside one artifact, in its order.

    `every` is false where nothing holds all the words: then the hits hold some. `total` is exact unless
    `total_is_least`.
    """

    next = serializers.CharField(allow_null=True)
    total = serializers.IntegerField()
    total_is_least = serializers.BooleanField()
    every = serializers.BooleanField()
    results = HitShape(many=True)


class SearchViews(Api):
    """Words in, places out."""

    queryset = SearchDocument.objects.all()
    answers = {"search": FoundShape}
    parameters = {"search": ("q", "project", "task", "kind", "in_artifact", "limit", "cursor")}

    def search(self, request: Request) -> Response:
        """Find tasks and delivered work by words, everywhere or inside one artifact."""
        asked = request.query_params
        limit, cursor = _limit(asked.get("limit", str(LIMIT_DEFAULT))), asked.get("cursor")
        if "in_artifact" in asked:
            found = search_inside(asked.get("q", ""), self._artifact(), limit=limit, cursor=cursor)
        else:
            task = self._task(asked["task"]) if "task" in asked else None
            found = search(
                asked.get("q", ""), project=self._project(), kinds=self._kinds(), task=task, limit=limit, cursor=cursor
            )
        return Response(self.shape(self._told(found)))

    def _told(self, found: Found) -> dict[str, Any]:
        cursor = found.cursor_after(len(found.hits))
        address = self.request.build_absolute_uri()
        return {
            "next": replace_query_param(address, "cursor", cursor) if cursor else None,
            "total": found.total,
            "total_is_least": found.total_is_least,
            "every": found.every,
            "results": found.hits,
        }

    def _project(self) -> Project | None:
        """Return where to look: in what was asked for, else in the only one of a bound token, else everywhere."""
        asked = self.request.query_params
        if "project" in asked:
            return self.project(asked["project"])
        only = self.principal.project_id
        return None if only is None else Project.objects.get(pk=only)

    def _task(self, public_id: str) -> Task:
        found: Task | None = self.visible(Task.objects.all()).filter(public_id=public_id).first()
        if found is None:
            raise NotFound(f"There is no task {public_id[:64]!r}.", next="GET /api/v1/tasks lists them.")
        return found

    def _artifact(self) -> Artifact:
        asked = self.request.query_params
        if beside := [name for name in ("project", "task", "kind") if name in asked]:
            raise invalid([{"at": name, "problem": "does not go with in_artifact"} for name in beside])
        rows = self.visible(Artifact.objects.select_related("task__project"))
        found: Artifact | None = rows.filter(public_id=asked["in_artifact"]).first()
        if found is None:
            name = asked["in_artifact"][:64]
            raise NotFound(f"There is no artifact {name!r}.", next="GET /api/v1/artifacts lists them.")
        return found

    def _kinds(self) -> list[str]:
        words = [word for text in self.request.query_params.getlist("kind") for word in text.split(",") if word]
        if unknown := [word for word in words if word not in KINDS]:
            raise invalid([{"at": "kind", "problem": f"{unknown[0][:80]!r} is not known", "allowed": list(KINDS)}])
        return list(dict.fromkeys(words))


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= LIMIT):
        raise Invalid(f"limit: a whole number from 1 to {LIMIT} is wanted.", next="Send it so, or leave it out.")
    return int(text)
