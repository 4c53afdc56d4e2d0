"""Addresses of the pages of maintenance."""

from __future__ import annotations

from django.urls import path

from maintenance.views import handovers

urlpatterns = [
    path("projects/<slug:slug>/handovers/", handovers.index, name="handovers"),
    path("projects/<slug:slug>/handovers/prepare/", handovers.prepare_one, name="handover-prepare"),
    path("projects/<slug:slug>/handovers/<int:number>/", handovers.handover, name="handover"),
]
