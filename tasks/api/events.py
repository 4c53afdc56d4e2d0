"""/events: everything that happened, to be read from any event on and to be followed while it happens."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.http import HttpResponse, HttpResponseBase
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from orchestrator_site.kernel.errors import Invalid, NotFound, Transient, invalid
from orchestrator_site.rest.base import Api
from orchestrator_site.rest.query_params import whole_in
from tasks.choices import Verb
from tasks.models import Event, Task
from tasks.selectors import feed
from tasks.selectors.feed import Wanted

LIMIT_DEFAULT = 100
LIMIT = 500
RETRY_MS = 2000
STREAM_HEADER = "Orchestrator-Stream"
"""Tells the server in front of Django how an answer goes on (orchestrator_site/streams); it never reaches a client."""
FULL = "orchestrator.streams_full"
"""Stands in the scope of a request for a stream that there is no room for."""
_LAST_ID = 2**63 - 1


class EventShape(serializers.ModelSerializer[Event]):
    """One change: who (what the connection proved), what, to which task, and what it was before and after."""

    project = serializers.CharField(source="project.slug")
    task_id = serializers.CharField(source="task.public_id", allow_null=True, default=None)
    actor = serializers.CharField(source="actor_name")
    session_id = serializers.CharField(source="session.public_id", allow_null=True, default=None)
    before = serializers.DictField()
    after = serializers.DictField()

    class Meta:
        model = Event
        fields = (
            "id", "verb", "project", "task_id", "actor", "actor_kind", "session_id", "before", "after", "created_at",
        )  # fmt: skip


class FeedShape(serializers.Serializer[Any]):
    """Some events, the oldest first. `after` is what to send next time; `next` is the address with it."""

    results = EventShape(many=True)
    after = serializers.IntegerField()
    next = serializers.CharField()
    has_more = serializers.BooleanField()


class EventStream(BaseRenderer):
    """Server-Sent Events (WHATWG HTML, section 9.2)."""

    media_type = "text/event-stream"
    format = "sse"

    def render(self, data: Any, *args: Any, **options: Any) -> Any:
        """Return what is made already."""
        return data


class EventViews(Api):
    """Events by their id, which only ever grows."""

    queryset = Event.objects.all()
    renderer_classes = (JSONRenderer, EventStream)
    answers = {"feed": FeedShape}
    parameters = {"feed": ("after", "project", "task", "verb", "limit")}

    def feed(self, request: Request) -> HttpResponseBase:
        """Read the events after one that is known, or follow them as Server-Sent Events."""
        wanted, limit = self._wanted(), whole_in(request, "limit", least=1, most=LIMIT) or LIMIT_DEFAULT
        if isinstance(request.accepted_renderer, EventStream):
            return self._stream(wanted, self._after(request.headers.get("Last-Event-ID"), otherwise="now"))
        found = feed.batch(wanted, after=self._after(None, otherwise="0"), limit=limit)
        address = replace_query_param(request.build_absolute_uri(), "after", str(found.last_id))
        answer = {"results": found.events, "after": found.last_id, "next": address, "has_more": found.has_more}
        return Response(self.shape(answer))

    def _stream(self, wanted: Wanted, after: int) -> HttpResponse:
        """Answer what has happened; what happens from then on is added by the server in front of Django.

        Without that server, the client comes again for it: that is what `retry` says.
        """
        if getattr(self.request._request, "scope", {}).get(FULL):
            raise Transient("There are too many streams already.", retry_after_ms=10_000, next="Ask again later.")
        answer = HttpResponse(content_type="text/event-stream; charset=utf-8")
        answer["X-Accel-Buffering"] = "no"
        self.headers["Cache-Control"] = "no-store"
        if self.request.method == "GET":
            found = feed.batch(wanted, after=after, limit=LIMIT)
            # The last id comes after the events, so that who is cut off before the end goes on where the end was.
            answer.write(f"retry: {RETRY_MS}\n\n")
            answer.write("".join(map(frame, found.events)))
            answer.write(f"id: {found.last_id}\n\n")
            answer[STREAM_HEADER] = json.dumps({"after": found.last_id, **asdict(wanted)})
        return answer

    def _wanted(self) -> Wanted:
        asked = self.request.query_params
        project_id = self.principal.project_id
        if "project" in asked:
            project_id = self.project(asked["project"]).pk
        task = self._task(asked["task"]) if "task" in asked else None
        return Wanted(project_id, task.pk if task else None, self._verbs())

    def _task(self, public_id: str) -> Task:
        found: Task | None = self.visible(Task.objects.all()).filter(public_id=public_id).first()
        if found is None:
            raise NotFound(f"There is no task {public_id[:64]!r}.", next="GET /api/v1/tasks lists them.")
        return found

    def _verbs(self) -> tuple[str, ...]:
        words = [word for text in self.request.query_params.getlist("verb") for word in text.split(",") if word]
        if unknown := [word for word in words if word not in Verb.values]:
            raise invalid([{"at": "verb", "problem": f"{unknown[0][:80]!r} is not known", "allowed": Verb.values}])
        return tuple(dict.fromkeys(words))

    def _after(self, header: str | None, *, otherwise: str) -> int:
        text = str(header if header is not None else self.request.query_params.get("after", otherwise))
        if text == "now":
            return feed.last_id()
        if not (text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= _LAST_ID):
            place = "after" if header is None else "Last-Event-ID"
            raise Invalid(f"{place}: the id of an event is wanted, 0 for all, or now.", next="Send it so.")
        return int(text)


def frame(event: Event) -> str:
    """Return an event as it stands in a stream."""
    return f"id: {event.pk}\nevent: changed\ndata: {json.dumps(EventShape(event).data)}\n\n"
