"""The supervisor of agents that `manage.py up` keeps, started as `python -m orchestrator_site.up.agents`."""

from __future__ import annotations

import os
import sys

from orchestrator_site.kernel.processes import hide_root
from orchestrator_site.up.pdeathsig import die_with_supervisor


def main() -> None:
    hide_root()
    die_with_supervisor(sys.argv)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator_site.settings")
    import django

    django.setup()
    from django.core.management import call_command

    call_command("agents")


if __name__ == "__main__":
    main()
