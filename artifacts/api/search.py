"""GET /search: tasks and artifacts by words."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from artifacts.models import Artifact, Kind, SearchDocument
from artifacts.search.query_parser import QUERY_LIMIT
from artifacts.search.service import LIMIT, LIMIT_DEFAULT, Found, Hit, search, search_inside
from orchestrator_site.kernel.errors import invalid
from orchestrator_site.rest.query_params import ID, ChoicesParameter, IntegerParameter, Parameter
from tasks.api.base import ProjectApi
from tasks.models import Project, Task

QUERY = Parameter(
    "q",
    'Words; "a phrase" in quotes, begin* for a prefix.',
    {"type": "string", "minLength": 1, "maxLength": QUERY_LIMIT},
    is_required=True,
)
PROJECT = Parameter("project", "Of one project, by its slug.", ID)
TASK = Parameter("task", "Of one task or plan and everything below it, by its id.", ID)
KIND = ChoicesParameter(
    "kind", "Tasks, all artifacts, or one or several kinds of artifacts.", ("task", "artifact", *Kind.values)
)
IN_ARTIFACT = Parameter("in_artifact", "Every match in one artifact, in its order; without project, task, kind.", ID)
PAGE_SIZE = IntegerParameter("limit", "How many hits.", least=1, most=LIMIT, default=LIMIT_DEFAULT)
CURSOR = Parameter("cursor", "The start of the page, from `next`.", {"type": "string", "maxLength": 100})


class HitShape(serializers.Serializer[Hit]):
    """A task, or an artifact of one; `offset` is the snippet's place in characters."""

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

    `every` is false where nothing matches all the words: then the hits match some. `total` is exact unless
    `total_is_least`.
    """

    next = serializers.CharField(allow_null=True)
    total = serializers.IntegerField()
    total_is_least = serializers.BooleanField()
    every = serializers.BooleanField()
    results = HitShape(many=True)


class SearchViews(ProjectApi):
    queryset = SearchDocument.objects.all()
    answers = {"search": FoundShape}
    parameters = {"search": (QUERY, PROJECT, TASK, KIND, IN_ARTIFACT, PAGE_SIZE, CURSOR)}

    def search(self, request: Request) -> Response:
        """Find tasks and artifacts by words, everywhere or in one artifact."""
        asked = request.query_params
        limit, cursor = PAGE_SIZE.read(request) or LIMIT_DEFAULT, asked.get("cursor")
        if "in_artifact" in asked:
            found = search_inside(asked.get("q", ""), self._artifact(), limit=limit, cursor=cursor)
        else:
            task = self.one(self.visible(Task.objects.all()), "task", asked["task"]) if "task" in asked else None
            found = search(
                asked.get("q", ""),
                project=self._project(),
                kinds=KIND.read(request),
                task=task,
                limit=limit,
                cursor=cursor,
            )
        return Response(self.shape(self._page(found)))

    def _page(self, found: Found) -> dict[str, Any]:
        cursor = found.cursor_after(len(found.hits))
        url = self.request.build_absolute_uri()
        return {
            "next": replace_query_param(url, "cursor", cursor) if cursor else None,
            "total": found.total,
            "total_is_least": found.total_is_least,
            "every": found.every,
            "results": found.hits,
        }

    def _project(self) -> Project | None:
        """Return the project to search: the named one, else that of a bound token, else all."""
        asked = self.request.query_params
        if "project" in asked:
            return self.project(asked["project"])
        only = self.principal.project_id
        return None if only is None else Project.objects.get(pk=only)

    def _artifact(self) -> Artifact:
        asked = self.request.query_params
        if beside := [name for name in ("project", "task", "kind") if name in asked]:
            raise invalid([{"at": name, "problem": "cannot be combined with in_artifact"} for name in beside])
        rows = self.visible(Artifact.objects.select_related("task__project"))
        found: Artifact = self.one(rows, "artifact", asked["in_artifact"])
        return found
