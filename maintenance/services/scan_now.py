"""Scan a project because someone asked for it: what the worker looks for each hour, now."""

from __future__ import annotations

from maintenance.choices import Action, Level, ScopeWord
from maintenance.services.coordinate import LARGE, Answer, Request, coordinate
from maintenance.services.operations import Result, finish, new_operation, running
from maintenance.services.scan import scan_project
from tasks.identity.actor import Actor
from tasks.models import Project, Task


def scan_now(*, project: Project, actor: Actor) -> Answer:
    """Do a basic scan, which gives back what anyone could claim, and record everything that a full one finds.

    On a large board the second part is left to the worker. Raises Forbidden.
    """
    asked = Request(action=Action.SCAN_CLEANUP, scope=ScopeWord.FULL_PROJECT)
    answer = coordinate(project=project, actor=actor, request=asked)
    if not is_large(project):
        _check_everything(project, actor)
    return answer


def is_large(project: Project) -> bool:
    return Task.objects.filter(project=project).order_by()[: LARGE + 1].count() > LARGE


def _check_everything(project: Project, actor: Actor) -> None:
    operation = new_operation(
        actor=actor, project=project, action=Action.VALIDATE_STRUCTURE, level=Level.BASIC,
        scope=ScopeWord.FULL_PROJECT,
    )  # fmt: skip
    with running(operation):
        found, tasks = scan_project(project), Task.objects.filter(project=project).count()
    finish(operation, Result({"counts": {"tasks": tasks, "findings": found}}, [], []))
