"""/events: everything that happened, read from any event on, or followed as it happens."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, HttpResponseBase
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from orchestrator_site.asgi import event_hub
from orchestrator_site.kernel.errors import Invalid, Transient
from orchestrator_site.rest.query_params import ID, ChoicesParameter, IntegerParameter, Parameter
from tasks.api import event_stream
from tasks.api.base import ProjectApi
from tasks.api.event_stream import EventShape
from tasks.choices import Verb
from tasks.models import Event, Task
from tasks.selectors import feed
from tasks.selectors.feed import EventFilter

LIMIT_DEFAULT = 100
LIMIT = 500
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


class FeedShape(serializers.Serializer[Any]):
    """Some events, the oldest first. `after` is what to send next time; `next` is the URL with it."""

    results = EventShape(many=True)
    after = serializers.IntegerField()
    next = serializers.CharField()
    has_more = serializers.BooleanField()


class EventStream(BaseRenderer):
    """Server-sent events."""

    media_type = "text/event-stream"
    format = "sse"

    def render(self, data: Any, *args: Any, **options: Any) -> Any:
        return data


class EventViews(ProjectApi):
    """Events by their id, which only grows."""

    queryset = Event.objects.all()
    renderer_classes = (JSONRenderer, EventStream)
    answers = {"feed": FeedShape}
    parameters = {"feed": (AFTER, PROJECT, TASK, VERB, PAGE_SIZE)}
    request_headers = {"feed": (LAST_EVENT_ID,)}

    def feed(self, request: Request) -> HttpResponseBase:
        """Read the events after a known one, or follow them as server-sent events."""
        wanted, limit = self._wanted(), PAGE_SIZE.read(request) or LIMIT_DEFAULT
        if isinstance(request.accepted_renderer, EventStream):
            return self._stream(wanted, self._after(request.headers.get("Last-Event-ID"), default="now"))
        found = feed.batch(wanted, after=self._after(None, default="0"), limit=limit)
        url = replace_query_param(request.build_absolute_uri(), "after", str(found.last_id))
        answer = {"results": found.events, "after": found.last_id, "next": url, "has_more": found.has_more}
        return Response(self.shape(answer))

    def _stream(self, wanted: EventFilter, after: int) -> HttpResponseBase:
        """Stream events while they happen. Without an event loop, return what has happened; clients reconnect."""
        self.headers |= {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        content_type = "text/event-stream; charset=utf-8"
        if self.request.method == "HEAD":
            return HttpResponse(content_type=content_type)
        scope = getattr(self.request._request, "scope", {})
        hub = scope.get(event_hub.SCOPE_KEY)
        if hub is not None and hub.streams >= event_stream.STREAMS:
            raise Transient("There are too many streams already.", retry_after_ms=10_000, next="Retry later.")
        found = feed.batch(wanted, after=after, limit=LIMIT)
        if hub is None:
            return HttpResponse(event_stream.opening(found), content_type=content_type)
        who = self.principal.token_id or f"person {self.principal.user_id}"
        events = event_stream.follow(hub, wanted, found, scope)
        return event_stream.Stream(hub, who, events, content_type=content_type)

    def _wanted(self) -> EventFilter:
        asked = self.request.query_params
        project_id = self.principal.project_id
        if "project" in asked:
            project_id = self.project(asked["project"]).pk
        task = self.one(self.visible(Task.objects.all()), "task", asked["task"]) if "task" in asked else None
        return EventFilter(project_id, task.pk if task else None, tuple(VERB.read(self.request)))

    def _after(self, header: str | None, *, default: str) -> int:
        value = str(header if header is not None else self.request.query_params.get("after", default))
        if value == "now":
            return feed.last_id()
        if not (value.isascii() and value.isdigit() and len(value) <= 19 and int(value) <= _LAST_ID):
            name = "after" if header is None else "Last-Event-ID"
            raise Invalid(f"{name}: expected the id of an event, 0 or now.", next="0 reads from the first event on.")
        return int(value)
