"""The OpenAPI document, and a page to read it and try it. Both hold no secrets and are open to everybody."""

from __future__ import annotations

import json

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe


@require_safe
@cache_control(max_age=300)
def schema(request: HttpRequest) -> HttpResponse:
    """Answer the document in YAML, or in JSON to who asks for that."""
    from orchestrator_site.openapi import document  # brings the generator, which nothing else needs

    if request.accepts("application/yaml") and not request.headers.get("Accept", "*/*").startswith("application/json"):
        answer = HttpResponse(document.as_yaml(), content_type="application/yaml; charset=utf-8")
    else:
        answer = HttpResponse(json.dumps(document.document()), content_type="application/json")
    answer["Vary"] = "Accept"
    return answer


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """Show the document in Swagger UI, which comes from this site alone."""
    return render(request, "api/docs.html")
