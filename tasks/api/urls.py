"""URLs of the REST API of tasks."""

from __future__ import annotations

from django.urls import path
from rest_framework.routers import SimpleRouter

from tasks.api.dependencies import DependencyViews
from tasks.api.evidence import ChallengeViews, EvidenceViews, GateViews, WaiverViews
from tasks.api.plans import PlanViews
from tasks.api.projects import ProjectViews
from tasks.api.resources import HoldViews, ResourceViews
from tasks.api.sessions import SessionViews
from tasks.api.settings import SettingsViews
from tasks.api.specialists import SpecialistViews
from tasks.api.tasks import TaskViews
from tasks.api.verbs import ClaimNext, TaskVerbs

router = SimpleRouter(trailing_slash=False)
router.register("projects", ProjectViews, basename="api-project")
router.register("sessions", SessionViews, basename="api-session")
router.register("plans", PlanViews, basename="api-plan")
router.register("tasks", TaskViews, basename="api-task")
router.register("tasks", TaskVerbs, basename="api-task-verb")
router.register(r"tasks/(?P<task_id>[^/]+)/dependencies", DependencyViews, basename="api-dependency")
router.register(r"tasks/(?P<task_id>[^/]+)/gates", GateViews, basename="api-gate")
router.register(r"tasks/(?P<task_id>[^/]+)/evidence", EvidenceViews, basename="api-evidence")
router.register(r"tasks/(?P<task_id>[^/]+)/waivers", WaiverViews, basename="api-waiver")
router.register(r"tasks/(?P<task_id>[^/]+)/challenges", ChallengeViews, basename="api-challenge")
router.register(r"projects/(?P<project>[^/]+)/resources", ResourceViews, basename="api-resource")
router.register(r"projects/(?P<project>[^/]+)/resources/(?P<name>[^/]+)/holds", HoldViews, basename="api-hold")
router.register(r"projects/(?P<project>[^/]+)/specialists", SpecialistViews, basename="api-specialist")

urlpatterns = [
    path("projects/<str:project>/claim-next", ClaimNext.as_view({"post": "claim_next"}), name="api-claim-next"),
    path(
        "projects/<str:project>/settings",
        SettingsViews.as_view({"get": "retrieve", "put": "update", "patch": "partial_update"}),
        name="api-project-settings",
    ),
    *router.urls,
]
