"""Write down the schema of a commit with a few rows: `python -m tests.upgrades.make_schema COMMIT NAME`.

Each table of ours gets a row where its constraints allow the plainest one. Run it once for each schema on main.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from tests.homes import DATABASE, ROOT

FOLDER = Path(__file__).parent / "schemas"
OURS = ("tasks", "artifacts", "maintenance", "agents", "library", "insights", "orchestrator_site")

# Runs with the code of the commit. What is related comes first; a row that a constraint refuses is left out.
FILL = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "orchestrator_site.settings"
sys.path.insert(0, os.getcwd())
import django; django.setup()
from datetime import datetime, timedelta, timezone
from django.apps import apps
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import IntegrityError, models, transaction
call_command("migrate", verbosity=0)
NOW = datetime(2026, 11, 22, tzinfo=timezone.utc)
made = {User: User.objects.create(username="ada", password="!")}
ORDER = ("project", "session", "task", "content", "artifact")

def value_of(field):
    if field.is_relation:
        return made.get(field.related_model) if not field.null else None
    if field.choices:
        return field.choices[0][0]
    if isinstance(field, models.DateTimeField):
        return NOW + timedelta(days="deadline" in field.name or "expires" in field.name)
    if isinstance(field, models.DateField):
        return NOW.date()
    if isinstance(field, models.BinaryField):
        return b"data"
    if isinstance(field, (models.CharField, models.TextField)):
        return f"{field.model._meta.model_name}_{field.name}"[:field.max_length or 99]
    return 1

def fields_of(model):
    for field in model._meta.concrete_fields:
        is_given = not (field.primary_key and not field.is_relation) and not field.generated
        if is_given and not field.has_default() and not field.null and not (field.blank and not field.is_relation):
            yield field

def more(model):
    name = model._meta.model_name
    if name == "dependency":
        task = model._meta.get_field("task").related_model
        columns = {field.name: value_of(field) for field in fields_of(task)}
        return {"depends_on": task.objects.create(**columns | {"public_id": "task_needed"})}
    special = {"content": {"data": b"data"}, "event": {"actor_kind": "person"}, "jobrun": {"started_at": NOW}}
    return special.get(name, {})

ours = [model for app in sys.argv[1:] for model in apps.get_app_config(app).get_models() if not model._meta.proxy]
ours.sort(key=lambda model: ORDER.index(model._meta.model_name) if model._meta.model_name in ORDER else 99)
for _ in range(3):
    for model in ours:
        if model not in made:
            try:
                with transaction.atomic():
                    values = {field.name: value_of(field) for field in fields_of(model)} | more(model)
                    made[model] = model.objects.create(**values)
            except (IntegrityError, ValueError, TypeError) as error:
                print(model.__name__, error, file=sys.stderr)
print(sorted(model.__name__ for model in made))
"""


def main(commit: str, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        code, home = Path(folder) / "code", Path(folder) / "home"
        subprocess.run(["git", "worktree", "add", "-q", "--detach", str(code), commit], cwd=ROOT, check=True)
        try:
            environ = {**os.environ, "ORCHESTRATOR_HOME": str(home)}
            subprocess.run([sys.executable, "-c", FILL, *OURS], cwd=code, env=environ, check=True)
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(code)], cwd=ROOT, check=True)
        with closing(sqlite3.connect(home / DATABASE)) as database:
            for table in ("auth_permission", "django_content_type"):  # made again by any upgrade
                database.execute(f"DELETE FROM {table}")
            FOLDER.mkdir(exist_ok=True)
            (FOLDER / f"{name}.sql").write_text("\n".join(database.iterdump()) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
