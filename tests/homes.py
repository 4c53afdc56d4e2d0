"""Data folders whose schema is up to date: bringing one there takes longer than most tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from filelock import FileLock

ROOT = Path(__file__).resolve().parent.parent
DATABASE = "orchestrator.sqlite3"
SHARED = "TESTS_SHARED_FOLDER"
"""Names the folder that all processes of one test run share; conftest.py makes it, programs beside the tests do not."""


def make_home(home: Path) -> Path:
    """Make a data folder in which nothing has happened yet."""
    home.mkdir(mode=0o700, parents=True)
    if SHARED in os.environ:
        shutil.copyfile(migrated_database(), home / DATABASE)
    else:
        _migrate(home)
    return home


def migrated_database() -> Path:
    """Return an SQLite file with the current schema; the first process that asks makes it."""
    shared = Path(os.environ[SHARED])
    with FileLock(shared / "migrated.lock"):
        if not (made := shared / "migrated" / DATABASE).exists():
            _migrate(shared / "draft")
            (shared / "draft").rename(made.parent)
    return made


def _migrate(home: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DATABASE_")}
    environment |= {"ORCHESTRATOR_HOME": str(home), "DJANGO_SETTINGS_MODULE": "orchestrator_site.settings"}
    subprocess.run([sys.executable, "manage.py", "migrate", "-v", "0"], cwd=ROOT, env=environment, check=True)
