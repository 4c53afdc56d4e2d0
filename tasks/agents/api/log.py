"""/runs/{run_id}/log: what happened in a run, by cursor or as server-sent events."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, HttpResponseBase
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from orchestrator_site.asgi import event_hub
from orchestrator_site.kernel.errors import Invalid, Transient
from orchestrator_site.rest.query_params import IntegerParameter, Parameter
from tasks.agents import run_log
from tasks.agents.api import log_stream
from tasks.agents.api.runs import RunApi
from tasks.agents.api.serializers import LogAnswer
from tasks.agents.models import Run
from tasks.agents.places import log_of
from tasks.agents.run_log import Entries
from tasks.api import event_stream
from tasks.api.events import EventStream

LIMIT, LIMIT_DEFAULT = 500, 100
NEWEST = "newest"
CURSOR = Parameter(
    "cursor",
    "The `cursor` of the answer before: `0` for the beginning, `newest` for the end, where streams begin.",
    {"type": "string", "pattern": f"^([0-9]{{1,18}}|{NEWEST})$", "default": "0"},
)
PAGE_SIZE = IntegerParameter("limit", "How many entries.", least=1, most=LIMIT, default=LIMIT_DEFAULT)
LAST_EVENT_ID = Parameter("Last-Event-ID", "Streams: the last cursor that was seen. Browsers send it by themselves.")


class LogViews(RunApi):
    """The log of a run."""

    renderer_classes = (JSONRenderer, EventStream)
    answers = {"log": LogAnswer}
    parameters = {"log": (CURSOR, PAGE_SIZE)}
    request_headers = {"log": (LAST_EVENT_ID,)}

    def log(self, request: Request, run_id: str) -> HttpResponseBase:
        """Read the log of a run from a cursor on, or follow it as server-sent events until the run has ended."""
        run, limit = self.run(run_id), PAGE_SIZE.read(request) or LIMIT_DEFAULT
        sent = request.query_params.get("cursor")
        if isinstance(request.accepted_renderer, EventStream):
            return self._stream(run, request.headers.get("Last-Event-ID") or sent or NEWEST, limit)
        found = _read(run, sent or "0", limit)
        url = replace_query_param(request.build_absolute_uri(), "cursor", str(found.cursor))
        facts = {"results": found.entries, "cursor": found.cursor, "at_end": found.at_end}
        return Response(self.shape({**facts, "next": url, "is_live": run.is_live}))

    def _stream(self, run: Run, cursor: str, limit: int) -> HttpResponseBase:
        """Stream entries as they come. Without an event loop, return what is there; clients reconnect."""
        self.headers |= {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        content_type = "text/event-stream; charset=utf-8"
        found = _read(run, cursor, limit)
        if self.request.method == "HEAD":
            return HttpResponse(content_type=content_type)
        scope: dict[str, Any] = getattr(self.request._request, "scope", {})
        hub = scope.get(event_hub.SCOPE_KEY)
        if hub is None:
            end = b"" if run.is_live or not found.at_end else log_stream.END
            return HttpResponse(log_stream.opening(found) + end, content_type=content_type)
        if hub.streams >= event_stream.STREAMS:
            raise Transient("There are too many streams already.", retry_after_ms=10_000, next="Retry later.")
        who = self.principal.token_id or f"person {self.principal.user_id}"
        frames = log_stream.follow(hub, run, found, scope)
        return event_stream.Stream(hub, who, frames, content_type=content_type)


def _read(run: Run, cursor: str, limit: int) -> Entries:
    """Raises Invalid for what is no cursor."""
    if cursor == NEWEST:
        return run_log.read(log_of(run), limit=limit, newest=True)
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 18):
        raise Invalid(f"cursor: expected a number or {NEWEST}.", next="0 reads from the beginning.")
    return run_log.read(log_of(run), int(cursor), limit=limit)
