"""Print the OpenAPI document of the REST API."""

from __future__ import annotations

from typing import Any

from orchestrator_site.kernel.output import PlainCommand


class Command(PlainCommand):
    help = "Print the OpenAPI document of the REST API."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        from orchestrator_site.rest.openapi import as_yaml

        self.stdout.write(as_yaml(), ending="")
