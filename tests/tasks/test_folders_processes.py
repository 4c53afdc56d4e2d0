"""Two real processes take one folder for two projects, on whichever database the tests run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from tasks.models import Project, ProjectPath
from tests.factories import make_project
from tests.site.processes import shared_database

ROUNDS = 60
BEGIN = """
import sys, django; django.setup()
from pathlib import Path
from orchestrator_site.kernel.errors import Conflict
from tasks.identity.actor import Actor
from tasks.models import Project
from tasks.services.edit_project import create_project, edit_project
from tasks.services.projects import project_at
project, actor = Project.objects.get(slug="shop"), Actor.system()
print("ready", flush=True)
for line in sys.stdin:
    try:
        {act}
    except Conflict:
        print("conflict", flush=True)
    else:
        print("done", flush=True)
"""
TAKES = "edit_project(project=project, actor=actor, columns={'paths': [line.strip()]})"
RIVALS = [
    "create_project(actor=actor, name='rival', slug=Path(line.strip()).name, root_path=line.strip())",
    "project_at(Path(line.strip()))",
]


def start(act: str) -> subprocess.Popen[str]:
    """Start a process that does something to each folder that it is sent."""
    process = subprocess.Popen(
        [sys.executable, "-c", BEGIN.format(act=act)],
        cwd=settings.BASE_DIR,
        env={**os.environ, **shared_database()},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout and process.stdout.readline() == "ready\n"
    return process


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("rival", RIVALS, ids=["create_project", "project_at"])
def test_a_folder_that_two_processes_take_belongs_to_one_project(tmp_path: Path, rival: str) -> None:
    make_project("shop")
    started = [start(TAKES), start(rival)]
    for number in range(ROUNDS):
        folder = tmp_path / f"folder-{number}"
        folder.mkdir()
        for process in started:
            assert process.stdin
            process.stdin.write(f"{folder}\n")
            process.stdin.flush()
        answers = [process.stdout.readline().strip() for process in started if process.stdout]
        assert "done" in answers and set(answers) <= {"done", "conflict"}
        owners = [*Project.objects.filter(root_path=folder), *ProjectPath.objects.filter(path=folder)]
        assert len(owners) == 1
    for process in started:
        process.communicate()
        assert process.returncode == 0
