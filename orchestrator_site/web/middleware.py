"""The page that people see where the database refuses for the moment. Nothing on it asks the database."""

from __future__ import annotations

import logging

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.deprecation import MiddlewareMixin

from orchestrator_site.kernel.db_errors import REFUSALS, busy

logger = logging.getLogger(__name__)


class BusyPage(MiddlewareMixin):
    """Answers 503 for views that know nothing better; the REST API and the bridge say it in their own ways."""

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Return the page, or nothing for what is no refusal of the database."""
        if not isinstance(exception, REFUSALS):
            return None
        logger.error("The database refused %s %s.", request.method, request.path, exc_info=exception)
        headers = {"Retry-After": str(busy().retry_after_ms // 1000), "Cache-Control": "no-store"}
        page = render_to_string(
            "503.html", {"is_reading": request.method in ("GET", "HEAD"), "address": request.get_full_path()}
        )
        return HttpResponse(page, status=busy().status, headers=headers)
