"""An app that prints while Django starts, and again at exit, or starts slowly, if configured so."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import time
from pathlib import Path

from django.apps import AppConfig


class TrialConfig(AppConfig):
    name = "tests.mcp.trial"

    def ready(self) -> None:
        if os.environ.get("TRIAL_PRINTS"):
            print("stray: from an AppConfig")
            subprocess.run([sys.executable, "-c", "print('stray: from a child')"], check=True)
            atexit.register(lambda: print("stray: at exit, unflushed", end=""))
        slow = os.environ.get("TRIAL_STARTS_SLOWLY")
        if slow and Path(slow).exists():
            with Path(slow).open("a") as starts:
                starts.write("begun\n")
            time.sleep(4)
        if os.environ.get("TRIAL_DIES_AT_START"):
            os._exit(9)
        broken = os.environ.get("TRIAL_BREAKS")
        if broken and Path(broken).exists():
            raise RuntimeError(f"broken by {Path(broken).resolve()}")
