"""What happens here when `tasks` changes: the search index, mirrors, and comments that go with a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from django.dispatch import receiver

from artifacts.search.index import index_tasks
from artifacts.services.mirror import mirror_now
from artifacts.services.review_comments import take_comments
from orchestrator_site.kernel.commits import after_commit
from orchestrator_site.kernel.signals import project_files_changed, tasks_changed, verdict_given
from tasks.models import Project, Task
from tasks.project_settings import setting


@receiver(tasks_changed)
def update_search(*, tasks: Sequence[Task], renamed: bool, **_: Any) -> None:
    index_tasks(tasks, renamed=renamed)


@receiver(project_files_changed)
def update_mirror(*, project: Project, **_: Any) -> None:
    """Write the mirror after the commit: files are slow, and a rollback must leave none."""
    if setting(project, "mirror"):
        after_commit(partial(mirror_now, project.pk), repeated_by="mirror_artifacts")


@receiver(verdict_given)
def attach_comments(*, task: Task, comment: str, **_: Any) -> tuple[str, int]:
    return take_comments(task, comment)
