"""A repository with commands that the project's settings name, and `manage.py attest` in it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from orchestrator_site.tokens.service import create_token
from tasks.identity.actor import Actor
from tasks.models import Project, Task
from tests.agents.supervised import git
from tests.factories import make_project, make_user
from tests.gates.given import assistant, claimed, gated

REPORT = "build/junit.xml"
WRITE_REPORT = f"""
import pathlib, sys
file = pathlib.Path("{REPORT}")
file.parent.mkdir(exist_ok=True)
cases = "".join(f'<testcase name="{{name}}"/>' for name in sys.argv[1:])
file.write_text(f"<testsuite>{{cases}}</testsuite>")
"""


def python(code: str, *words: str) -> list[str]:
    return [sys.executable, "-c", code, *words]


@dataclass
class Shop:
    """A project in a folder, whose commands a test sets."""

    folder: Path
    project: Project
    monkeypatch: pytest.MonkeyPatch
    owner: Any

    def commands(self, **commands: dict[str, Any]) -> None:
        self.project.settings = {"gates": {"commands": commands}}
        self.project.save()

    def command(self, *argv: str, name: str = "test", **more: Any) -> None:
        self.commands(**{name: {"argv": list(argv), **more}})

    def task(self, *gates: Any) -> tuple[Task, Actor]:
        """Return a claimed task, and who holds it."""
        task = gated(*(gates or ({"command": "test"},)), project=self.project)
        holder = assistant(self.project)
        return claimed(task, holder), holder

    def token(self, *scopes: str, project: Project | None = None) -> str:
        name = f"{scopes[0]} {project.slug if project else 'everywhere'}"
        return create_token(owner=self.owner, name=name, scopes=scopes, project=project)[1]

    def attest(self, *words: str, token: str | None = None) -> int:
        """Run the command as a process would, and return its exit code. What CommandError says is printed."""
        settings = "django.conf.settings.ORCHESTRATOR_ATTEST_TOKEN"
        self.monkeypatch.setattr(settings, self.usual if token is None else token, raising=False)
        try:
            call_command("attest", *words)
        except CommandError as error:
            print(error, file=sys.stderr)
            return error.returncode
        except SystemExit as error:
            assert isinstance(error.code, int)
            return error.code
        return 0

    usual: str = ""


@contextmanager
def shop_at(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "README").write_text("A shop\n")
    (folder / ".gitignore").write_text("build/\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "Begin")
    made = Shop(folder, make_project(root_path=str(folder)), monkeypatch, make_user("owner", is_superuser=True))
    made.usual = made.token("attest")
    monkeypatch.chdir(folder)
    yield made
