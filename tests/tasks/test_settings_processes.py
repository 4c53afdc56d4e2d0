"""Two real processes change different settings of one project at once, on whichever database the tests run."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from django.conf import settings

from tasks.models import Event, Project
from tests.factories import make_project
from tests.site.processes import shared_database

ROUNDS = 40
PATCHES = """
import sys, django; django.setup()
from functools import partial
from tasks.identity.actor import Actor
from tasks.models import Project
from tasks.project_settings.document import merged
from tasks.services.edit_project import edit_settings
section, name = sys.argv[1:]
project, actor = Project.objects.get(slug="shop"), Actor.system()
print("ready", flush=True)
for line in sys.stdin:
    edit_settings(project=project, actor=actor, change=partial(merged, patch={section: {name: int(line)}}))
    print("done", flush=True)
"""


def start(*setting: str) -> subprocess.Popen[str]:
    """Start a process that gives a setting each number that it is sent."""
    process = subprocess.Popen(
        [sys.executable, "-c", PATCHES, *setting],
        cwd=settings.BASE_DIR,
        env={**os.environ, **shared_database()},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout and process.stdout.readline() == "ready\n"
    return process


@pytest.mark.django_db(transaction=True)
def test_patches_of_different_sections_at_once_are_all_kept() -> None:
    make_project("shop", settings={"review": True})
    started = [start("metrics", "window_days"), start("maintenance", "purge_after_days")]
    for number in range(1, ROUNDS + 1):
        for process in started:
            assert process.stdin
            process.stdin.write(f"{number}\n")
            process.stdin.flush()
        assert [process.stdout.readline() for process in started if process.stdout] == ["done\n"] * 2
        assert Project.objects.get().settings == {
            "review": True, "metrics": {"window_days": number}, "maintenance": {"purge_after_days": number}
        }  # fmt: skip
    assert Event.objects.count() == 2 * ROUNDS
    for process in started:
        process.communicate()
        assert process.returncode == 0
