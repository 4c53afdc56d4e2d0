"""URLs of the REST API of maintenance."""

from __future__ import annotations

from django.urls import path

from maintenance.api.handovers import HandoverViews

urlpatterns = [
    path(
        "projects/<str:project>/handovers",
        HandoverViews.as_view({"get": "list", "post": "create"}),
        name="api-handovers",
    ),
    path(
        "projects/<str:project>/handovers/<str:number>",
        HandoverViews.as_view({"get": "retrieve"}),
        name="api-handover",
    ),
]
