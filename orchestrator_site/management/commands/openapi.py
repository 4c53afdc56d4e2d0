"""Print the OpenAPI document of the REST API."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Print the OpenAPI document of the REST API."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        from orchestrator_site.rest.openapi import as_yaml

        self.stdout.write(as_yaml(), ending="")
