"""URLs of the REST API of maintenance."""

from __future__ import annotations

from django.urls import path
from rest_framework.routers import SimpleRouter

from maintenance.api.archive import ArchiveViews, TombstoneViews
from maintenance.api.findings import FindingViews
from maintenance.api.handovers import HandoverViews
from maintenance.api.operations import OperationViews
from maintenance.api.schedules import ScheduleViews
from maintenance.api.upgrades import UpgradeViews

_PROJECT = "projects/(?P<project>[^/]+)"
router = SimpleRouter(trailing_slash=False)
router.register(f"{_PROJECT}/operations", OperationViews, basename="api-operation")
router.register(f"{_PROJECT}/findings", FindingViews, basename="api-finding")
router.register(f"{_PROJECT}/archive", ArchiveViews, basename="api-archive")
router.register(f"{_PROJECT}/tombstones", TombstoneViews, basename="api-tombstone")
router.register(f"{_PROJECT}/schedules", ScheduleViews, basename="api-schedule")
router.register(f"{_PROJECT}/upgrades", UpgradeViews, basename="api-upgrade")

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
    *router.urls,
]
