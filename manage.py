#!/usr/bin/env python3
"""The one command line of the product: `python manage.py COMMAND`."""

import atexit
import gc
import os
import sys
from io import TextIOWrapper


def main() -> None:
    """Run a management command; the stdio bridge starts without importing Django."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator_site.settings")
    if sys.argv[1:2] == ["mcp_serve"]:
        from orchestrator_site.mcp.stdio.proxy import main as serve

        sys.exit(serve(sys.argv[2:]))
    # A command loads much and ends soon: looking for garbage in it, at its end above all, takes a fifth of its time.
    gc.set_threshold(50_000)
    atexit.register(gc.freeze)
    for stream in (sys.stdout, sys.stderr):  # a help text or a message may hold what the encoding lacks
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"The settings are wrong: {error}")


if __name__ == "__main__":
    main()
