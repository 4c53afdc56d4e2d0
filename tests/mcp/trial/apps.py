"""An app that prints while Django starts, and again at exit, where it is told to."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys

from django.apps import AppConfig


class TrialConfig(AppConfig):
    name = "tests.mcp.trial"

    def ready(self) -> None:
        if os.environ.get("TRIAL_PRINTS"):
            print("stray: from an AppConfig")
            subprocess.run([sys.executable, "-c", "print('stray: from a child')"], check=True)
            atexit.register(lambda: print("stray: at exit, unflushed", end=""))
        if os.environ.get("TRIAL_DIES_AT_START"):
            os._exit(9)
