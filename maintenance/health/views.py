"""The health checks, which need no account and reveal no secret."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from maintenance.health.selectors import readiness


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Answer 200 as long as the process does, even where the database does not."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 where the site can serve requests and run jobs, and 503 with the reasons where it cannot."""
    checks = readiness()
    is_ready = all(check["ok"] for check in checks.values())
    report = {"status": "ready" if is_ready else "not_ready", "checks": checks}
    return JsonResponse(report, status=200 if is_ready else 503)
