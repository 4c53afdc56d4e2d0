"""What monitors and proxies are told of the site. They need no account and learn no secret."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from maintenance.health.selectors import readiness


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Say that the process answers. It asks nobody, so it is well even where the database is not."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Say whether the site can do its work: 200 where it can, 503 with the reason where it cannot."""
    report = readiness()
    return JsonResponse(report.as_dict(), status=200 if report.is_ready else 503)
