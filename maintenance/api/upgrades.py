"""/projects/{project}/upgrades: what was done to the schema of the database."""

from __future__ import annotations

from django.db import connection
from rest_framework.request import Request
from rest_framework.response import Response

from maintenance.api.serializers import UpgradesAnswer, UpgradeShape
from maintenance.models import Upgrade
from maintenance.upgrades.backups import backups
from maintenance.upgrades.history import history
from orchestrator_site.kernel.identity import Scope
from tasks.api.base import ProjectApi


class UpgradeViews(ProjectApi):
    """Upgrades of the database. They are the whole site's."""

    queryset = Upgrade.objects.none()
    serializer_class = UpgradeShape
    pagination_class = None
    filter_backends = ()
    scopes = {"list": Scope.ADMIN}
    answers = {"list": UpgradesAnswer}

    def list(self, request: Request, project: str) -> Response:
        """List the newest upgrades, those that failed included, and the backups that are there."""
        self.project(project)
        return Response(self.shape({"results": history(connection), "backups": backups()}))
