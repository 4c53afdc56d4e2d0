"""Addresses of the pages of maintenance."""

from __future__ import annotations

from django.urls import path

from maintenance.views import archive, handovers, maintenance, operations

_HERE = "projects/<slug:slug>/maintenance/"
urlpatterns = [
    path("projects/<slug:slug>/handovers/", handovers.index, name="handovers"),
    path("projects/<slug:slug>/handovers/prepare/", handovers.prepare_one, name="handover-prepare"),
    path("projects/<slug:slug>/handovers/<int:number>/", handovers.handover, name="handover"),
    path(_HERE, maintenance.maintenance, name="maintenance"),
    path(f"{_HERE}run/", operations.run, name="maintenance-run"),
    path(f"{_HERE}settings/", maintenance.settings, name="maintenance-settings"),
    path(f"{_HERE}findings/<int:finding_id>/snooze/", maintenance.snooze, name="finding-snooze"),
    path(f"{_HERE}operations/<str:operation_id>/", operations.operation, name="operation"),
    path(f"{_HERE}operations/<str:operation_id>/undo/", operations.undo, name="operation-undo"),
    path(f"{_HERE}schedules/<str:name>/run/", maintenance.run_schedule, name="schedule-run"),
    path("projects/<slug:slug>/archive/", archive.archive, name="archive"),
    path("projects/<slug:slug>/archive/<str:task_id>/import/", archive.import_purged, name="tombstone-import"),
]
