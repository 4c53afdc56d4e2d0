"""/projects/{project}/schedules: the jobs of the site, when each runs, and running one now."""

from __future__ import annotations

from django.utils import timezone
from django_q.models import Schedule
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from maintenance import scheduled, schedules
from maintenance.api.serializers import QueuedAnswer, SchedulesAnswer, ScheduleShape
from maintenance.health.selectors import check_worker
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.rest.idempotency import Reply
from tasks.api.base import ProjectApi


class ScheduleViews(ProjectApi):
    """Schedules by the name of their job. They are the whole site's."""

    queryset = Schedule.objects.none()
    serializer_class = ScheduleShape
    pagination_class = None
    filter_backends = ()
    lookup_field = "name"
    lookup_value_regex = "[^/]+"
    scopes = {"list": Scope.ADMIN, "run": Scope.ADMIN}
    statuses = {"run": 202}
    answers = {"list": SchedulesAnswer, "run": QueuedAnswer}

    def list(self, request: Request, project: str) -> Response:
        """List the schedules, with the newest run of each."""
        self.project(project)
        worker = check_worker(timezone.now())
        has_worker = bool(worker["ok"] and worker["expected"])
        return Response(self.shape({"results": scheduled.schedules(), "worker": has_worker}))

    @action(detail=True, methods=["post"])
    def run(self, request: Request, project: str, name: str) -> Response:
        """Queue a job to run as soon as a worker is free."""
        found = self.project(project)

        def produce() -> Reply:
            schedules.run_soon(name)
            return Reply(self.shape({"name": name}), 202)

        return self.once(produce, project=found)
