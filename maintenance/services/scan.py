"""Scans of all projects by the worker: they report, and change nothing but findings."""

from __future__ import annotations

from django.utils import timezone

from maintenance.choices import Level
from maintenance.selectors import scope as scopes
from maintenance.selectors.scan import causes_of_scan, causes_of_structure, scan
from maintenance.selectors.structure import check
from maintenance.services.findings import record
from tasks.models import Project


def scan_project(project: Project) -> int:
    """Record what a comprehensive scan and the basic checks of the structure find; returns how much."""
    scope, now = scopes.of_project(project), timezone.now()
    found = [*scan(scope, Level.COMPREHENSIVE, now), *check(scope, Level.BASIC, now)]
    causes = causes_of_scan(Level.COMPREHENSIVE) | causes_of_structure(Level.BASIC)
    record(scope=scope, causes=causes, found=found, now=now)
    return len(found)


def scan_all() -> str:
    projects = list(Project.objects.order_by("id"))
    total = sum(scan_project(project) for project in projects)
    return f"Found {total} things to look at in {len(projects)} projects."
