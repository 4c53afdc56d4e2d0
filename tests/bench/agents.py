"""A supervisor of agents that starts as many at once as a measurement wants, however few cores there are."""

from __future__ import annotations

import os
import sys

import django


def main() -> None:
    os.cpu_count = lambda: int(sys.argv[1])  # type: ignore[assignment]
    os.environ["DJANGO_SETTINGS_MODULE"] = "orchestrator_site.settings"
    django.setup()
    from django.core.management import call_command

    call_command("agents")


if __name__ == "__main__":
    main()
