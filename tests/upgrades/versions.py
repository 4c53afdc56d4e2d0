"""Other versions of the product: copies of the code with one more migration, run as processes of their own."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.homes import DATABASE, ROOT
from tests.site.processes import DEADLINE_SECONDS

PARTS = ("orchestrator_site", "tasks", "artifacts", "maintenance", "templates", "manage.py")
NEXT = "0099_next"
ADD = """migrations.AddField("jobrun", "place", models.CharField(max_length=20, default="here"))"""
REMOVE = """migrations.RemoveField("jobrun", "message")"""
FAIL = f"""{ADD}, migrations.RunPython(lambda apps, editor: 1 / 0)"""
_FILE = """
from django.db import migrations, models

class Migration(migrations.Migration):
    dependencies = [("maintenance", "{last}")]
    operations = [{operations}]
"""
_BEGIN = """
import os, signal, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "orchestrator_site.settings"
sys.path.insert(0, os.getcwd())
import django; django.setup()
from django.db import connection
"""
START = f"""{_BEGIN}
from maintenance.upgrades.ensure_schema import ensure_schema
ensure_schema()
"""
"""What every process of the product begins with."""


@dataclass
class Version:
    """A version of the product on a data folder."""

    code: Path
    home: Path

    def manage(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return self.run("manage.py", *words, **environ)

    def python(self, program: str, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a program after Django is set up."""
        return self.run("-c", f"{_BEGIN}\n{program}", *words, **environ)

    def start(self) -> subprocess.CompletedProcess[str]:
        return self.run("-c", START)

    def begin(self, program: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", f"{_BEGIN}\n{program}"],
            cwd=self.code,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *words],
            cwd=self.code,
            env=self.environment | environ,
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
        )

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        return kept | {"ORCHESTRATOR_HOME": str(self.home)}

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.home / DATABASE)) as database, database:
            return database.execute(sql).fetchall()

    @property
    def notice(self) -> Path:
        return self.home / f"{DATABASE}.upgrade-failed.json"

    @property
    def backups(self) -> list[Path]:
        return sorted((self.home / "backups").glob("*"))

    def place(self) -> list[tuple[Any, ...]]:
        """Return the column that the next version adds; raises where it is not there."""
        return self.rows("SELECT DISTINCT place FROM maintenance_jobrun")

    def columns(self) -> set[str]:
        return {row[1] for row in self.rows("PRAGMA table_info(maintenance_jobrun)")}


def make_version(code: Path, home: Path, *operations: str) -> Version:
    """Copy the code; with operations, it has one migration more."""
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, code / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            code.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / part, code / part)
    if operations:
        put_migration(code, *operations)
    return Version(code, home)


def put_migration(code: Path, *operations: str) -> None:
    folder = code / "maintenance" / "migrations"
    last = max(file.stem for file in folder.glob("0*.py") if file.stem != NEXT)
    (folder / f"{NEXT}.py").write_text(_FILE.format(last=last, operations=", ".join(operations)))
