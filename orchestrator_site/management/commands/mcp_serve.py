"""`manage.py mcp_serve`: the bridge for one assistant over standard input and output."""

from __future__ import annotations

import sys
from argparse import ArgumentParser

from orchestrator_site.kernel.output import PlainCommand
from orchestrator_site.mcp.stdio import proxy


class Command(PlainCommand):
    """Seen only by `help` and `call_command`: manage.py starts the bridge without importing Django."""

    help = proxy.DESCRIPTION
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        proxy.add_options(parser)

    def handle(self, *, toolsets: str, reload: bool = False, **options: object) -> None:
        sys.exit(proxy.main(["--toolsets", toolsets, *(["--reload"] if reload else [])]))
