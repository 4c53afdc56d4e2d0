"""The worker of `manage.py up`: django-q2's cluster, as a child of the supervisor.

The supervisor starts it as `python -m orchestrator_site.up.worker`.
"""

from __future__ import annotations

import os

from orchestrator_site.up.lifeline import hold_on


def main() -> None:
    """Run jobs until told to stop."""
    hold_on()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator_site.settings")
    import django

    django.setup()
    from django.core.management import call_command

    call_command("qcluster")


if __name__ == "__main__":
    main()
