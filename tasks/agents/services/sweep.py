"""Remove the worktrees of ended runs that are too old, or more than the disk quota; their branches stay."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

from django.utils import timezone

from orchestrator_site.kernel.commits import note_commit
from orchestrator_site.kernel.errors import OrchestratorError
from tasks.agents import worktrees
from tasks.agents.choices import LIVE, RunState, Workspace
from tasks.agents.models import Run
from tasks.agents.places import runs_folder, worktrees_folder
from tasks.agents.selectors.isolation import isolation_of
from tasks.agents.worktrees import Size, Worktree
from tasks.models import Project

COLLECTED_LIMIT = 1024**3
_DAY = 24 * 60 * 60
_GB = 1024**3
_CHUNK = 500


def sweepable(project: Project) -> list[tuple[Run, Size]]:
    """Return what `sweep` would remove: the preview."""
    _, settings = isolation_of(project)
    runs = (
        Run.objects.filter(project=project, removed_at=None).exclude(workspace=Workspace.CURRENT).exclude(worktree={})
    )
    by_folder = {run.worktree["folder"]: run for run in runs.select_related("task", "project").order_by("id")}
    kept = [folder for folder, run in by_folder.items() if run.state in LIVE or _awaits_a_person(run)]
    found = [size for size in worktrees.sizes(worktrees_folder()) if size.folder in by_folder]
    chosen = worktrees.sweepable(
        found, now=time.time(), max_age_seconds=settings.keep_days * _DAY, quota_bytes=settings.disk_gb * _GB, keep=kept
    )
    return [(by_folder[size.folder], size) for size in chosen]


def _awaits_a_person(run: Run) -> bool:
    """Whether nothing of it could be collected: a person looks at it and trusts or dismisses it."""
    return run.state == RunState.TAMPERED and run.dismissed_at is None


def sweep(project: Project) -> tuple[int, int]:
    """Collect what is left in each, then remove it; return how many were removed, and how many could not be."""
    done = [_removed(run) for run, _ in sweepable(project)]
    return sum(done), len(done) - sum(done)


def _removed(run: Run) -> bool:
    worktree = Worktree(**run.worktree)
    try:
        if Path(worktree.folder).exists() and run.state != RunState.TAMPERED:
            _keep_the_rest(run, worktree)
        worktrees.remove(worktree)
        note_commit()
    except OrchestratorError:
        return False  # the next sweep tries again
    Run.objects.filter(worktree__folder=worktree.folder).update(removed_at=timezone.now())
    return True


def _keep_the_rest(run: Run, worktree: Worktree) -> None:
    """Commit what a person, or a killed supervisor, left there after the run."""
    _, settings = isolation_of(run.project)
    jailed = bool(run.facts.get("jailed"))
    found = worktrees.collect(
        worktree, message=f"Left behind by {run.public_id}", limit_bytes=COLLECTED_LIMIT,
        leave_out=settings.copied_files, jailed=jailed,
    )  # fmt: skip
    if found.head and found.head != run.head_commit:
        Run.objects.filter(pk=run.pk).update(head_commit=found.head, facts={**run.facts, **_facts(found)})


def _facts(found: worktrees.Collected) -> dict[str, object]:
    return {name: value for name, value in asdict(found).items() if name != "head"}


def sweep_all(projects: Iterable[Project]) -> str:
    removed, kept = (sum(each) for each in zip(*(sweep(project) for project in projects), (0, 0), strict=True))
    return f"Removed {removed} worktrees, {kept} could not be; and {_forget_folders()} folders of runs."


def _forget_folders() -> int:
    """Remove the folders of runs whose worktree is gone for as long as their project keeps any, and of no run."""
    names = [each.name for each in runs_folder().iterdir()] if runs_folder().exists() else []
    forgotten = 0
    for start in range(0, len(names), _CHUNK):
        chunk = names[start : start + _CHUNK]
        rows = {run.public_id: run for run in Run.objects.filter(public_id__in=chunk).select_related("project")}
        for name in chunk:
            if name not in rows or _is_forgotten(rows[name]):
                shutil.rmtree(runs_folder() / name, ignore_errors=True)
                forgotten += 1
    return forgotten


def _is_forgotten(run: Run) -> bool:
    _, settings = isolation_of(run.project)
    is_old = run.ended_at is not None and timezone.now() - run.ended_at > timedelta(days=settings.keep_days)
    return is_old and (run.removed_at is not None or run.workspace == Workspace.CURRENT or not run.worktree)
