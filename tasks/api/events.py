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

from orchestrator_site.kernel.errors import Invalid, Transient
from orchestrator_site.rest.query_params import ID, ChoicesParameter, IntegerParameter, Parameter
from tasks.choices import Verb
from tasks.identity.rest import ProjectApi
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
AFTER = Parameter(
    "after",
    "The last event that is known: `0` for all, `now` for new ones only. Streams begin now.",
    {"type": "string", "pattern": "^([0-9]{1,18}|now)$", "default": "0"},
)
PROJECT = Parameter("project", "Of one project, by its slug.", ID)
TASK = Parameter("task", "Of one task, by its id.", ID)
VERB = ChoicesParameter("verb", "One or several verbs.", Verb.values)
PAGE_SIZE = IntegerParameter("limit", "How many events.", least=1, most=LIMIT, default=LIMIT_DEFAULT)
LAST_EVENT_ID = Parameter("Last-Event-ID", "Streams: the last event that was seen. Browsers send it by themselves.")


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


class EventViews(ProjectApi):
    """Events by their id, which only ever grows."""

    queryset = Event.objects.all()
    renderer_classes = (JSONRenderer, EventStream)
    answers = {"feed": FeedShape}
    parameters = {"feed": (AFTER, PROJECT, TASK, VERB, PAGE_SIZE)}
    request_headers = {"feed": (LAST_EVENT_ID,)}

    def feed(self, request: Request) -> HttpResponseBase:
        """Read the events after one that is known, or follow them as Server-Sent Events."""
        wanted, limit = self._wanted(), PAGE_SIZE.read(request) or LIMIT_DEFAULT
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
            raise Transient("Too many streams.", retry_after_ms=10_000, next="Retry later.")
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
        task = self.one(self.visible(Task.objects.all()), "task", asked["task"]) if "task" in asked else None
        return Wanted(project_id, task.pk if task else None, tuple(VERB.read(self.request)))

    def _after(self, header: str | None, *, otherwise: str) -> int:
        text = str(header if header is not None else self.request.query_params.get("after", otherwise))
        if text == "now":
            return feed.last_id()
        if not (text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= _LAST_ID):
            place = "after" if header is None else "Last-Event-ID"
            raise Invalid(f"{place}: must be the id of an event, 0 for all, or now.")
        return int(text)


def frame(event: Event) -> str:
    """Return an event as it stands in a stream."""
    return f"id: {event.pk}\nevent: changed\ndata: {json.dumps(EventShape(event).data)}\n\n"
