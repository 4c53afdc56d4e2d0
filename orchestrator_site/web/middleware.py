"""The page shown if the database is temporarily unavailable; it uses no database itself."""

from __future__ import annotations

import logging

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.deprecation import MiddlewareMixin

from orchestrator_site.kernel.db_errors import TRANSIENT_ERRORS, busy

logger = logging.getLogger(__name__)


class BusyPage(MiddlewareMixin):
    """Answers 503 for views that do not handle it; REST and MCP do so in their own formats."""

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, TRANSIENT_ERRORS):
            return None
        logger.error("The database refused %s %s.", request.method, request.path, exc_info=exception)
        headers = {"Retry-After": str(busy().retry_after_ms // 1000), "Cache-Control": "no-store"}
        page = render_to_string(
            "503.html", {"is_reading": request.method in ("GET", "HEAD"), "address": request.get_full_path()}
        )
        return HttpResponse(page, status=busy().status, headers=headers)
