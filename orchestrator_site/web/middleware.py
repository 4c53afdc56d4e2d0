"""What the answer to a request says of its transactions, or of its proxy; it uses no database itself."""

from __future__ import annotations

import logging
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.deprecation import MiddlewareMixin

from orchestrator_site.kernel import commits, read_only
from orchestrator_site.kernel.db_errors import error_for
from orchestrator_site.kernel.errors import Transient

logger = logging.getLogger(__name__)

_FOR_PROGRAMS = ("/api/", "/healthz", "/readyz")
"""What has no links of its own, and so goes through a proxy that removes a path."""


class Commits(MiddlewareMixin):
    """Warns where a duty after a commit failed; answers 503 for pages where the database refused."""

    def __call__(self, request: HttpRequest) -> Any:
        if self.async_mode:
            return self.__acall__(request)
        with commits.watched() as call:
            response = self.get_response(request)
        return _warned(request, response, call)

    async def __acall__(self, request: HttpRequest) -> Any:
        with commits.watched() as call:
            response = await self.get_response(request)  # type: ignore[misc]
        return _warned(request, response, call)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if (shown := error_for(exception)) is None:
            return None
        logger.error("The database refused %s %s.", request.method, request.path, exc_info=exception)
        seconds = shown.retry_after_ms // 1000 if isinstance(shown, Transient) else 60
        headers = {"Retry-After": str(seconds), "Cache-Control": "no-store"}
        context = {
            "error": shown,
            "is_reading": request.method in ("GET", "HEAD"),
            "is_read_only": read_only.is_on(),
            "url": request.get_full_path(),
        }
        return HttpResponse(render_to_string("503.html", context), status=shown.status, headers=headers)


class AtTheRoot(MiddlewareMixin):
    """Explains on every page that the site cannot be served below a path, where a proxy says that it is."""

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        prefix = request.headers.get("X-Forwarded-Prefix", "").strip("/")
        if not prefix or request.path.startswith(_FOR_PROGRAMS):
            return None
        return HttpResponse(render_to_string("below_a_path.html", {"prefix": f"/{prefix}"}), status=421)


def _warned(request: HttpRequest, response: Any, call: commits.Call) -> Any:
    for text in call.warnings:
        if request.path.startswith("/api/"):
            response["Warning"] = f'199 - "{text}"'
        else:
            messages.warning(request, text)
    return response
