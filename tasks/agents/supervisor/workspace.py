"""The folder that a run works in: made or found again, filled with what Git ignores, and set up."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from django.utils import timezone

from orchestrator_site.kernel.errors import Conflict
from orchestrator_site.kernel.polling import poll
from tasks.agents import worktrees
from tasks.agents.choices import RunState, Workspace
from tasks.agents.models import Run
from tasks.agents.places import folder_of, home_of, worktrees_folder
from tasks.agents.processes import Jail, Log, end, ports, read, start, wait
from tasks.agents.selectors.branches import branch_of_merges
from tasks.agents.services.transitions import write
from tasks.agents.settings import IsolationSettings
from tasks.agents.worktrees import Worktree
from tasks.services.projects import folder

COPIED_LIMIT = 500 * 1024 * 1024
_LOG_SHOWN = 1_500


class SetupFailed(Conflict):
    """The project's own setup command failed; its log says why."""


def workspace_of(run: Run) -> Worktree:
    """Return the worktree of a run, made where it has none. Raises what `worktrees` raises."""
    checkout = _checkout(run)
    if run.workspace == Workspace.CURRENT:
        return _stored(run, worktrees.current(checkout))
    known = Worktree(**run.worktree) if run.worktree else _kept_beside(run)
    return _stored(run, _found_again(known) if known else _made(run, checkout))


def _found_again(known: Worktree) -> Worktree:
    is_there = Path(known.folder).exists()
    return worktrees.trusted(known) if is_there else worktrees.restore(known)


def fill(run: Run, settings: IsolationSettings, made: Worktree, jail: Jail | None) -> None:
    """Copy what Git ignores into a new worktree, and run the project's setup command there. Raises SetupFailed."""
    if run.prepared_at is not None or run.workspace == Workspace.CURRENT:
        return
    worktrees.copy_ignored(made, settings.copied_files, source=_checkout(run), limit_bytes=COPIED_LIMIT)
    if settings.setup:
        _set_up(run, settings, made, jail)
        if jail is not None:  # what it changed of the repository's settings is the project's own doing
            made = _stored(run, worktrees.trusted(made))
    write(run, prepared_at=timezone.now())


def _checkout(run: Run) -> Path:
    found = folder(run.project.root_path)
    if found is None:
        raise Conflict("The project has no folder on this machine.", next="Set it in the project's settings.")
    return found


def _made(run: Run, checkout: Path) -> Worktree:
    repository = worktrees.locate(checkout)
    kind = worktrees.Kind.PERSISTENT if run.workspace == Workspace.PERSISTENT else worktrees.Kind.NEW
    number = run.task.runs.filter(pk__lte=run.pk).count()
    return worktrees.make(
        repository, folder=worktrees_folder() / run.public_id, branch=f"orchestrator/{run.task.public_id}/{number}",
        base=_base(run, repository), kind=kind,
    )  # fmt: skip


def _base(run: Run, repository: str) -> str:
    """Return what a run begins from: its task's work so far, else that of what it builds on, else the usual base."""
    unmerged = Run.objects.filter(merged_commit="", dismissed_at=None).exclude(head_commit="")
    unmerged = unmerged.exclude(state=RunState.TAMPERED)
    own = unmerged.filter(task=run.task).first()
    below = unmerged.filter(task__dependents__task=run.task, state=RunState.SUCCEEDED).first()
    if found := own or below:
        return found.head_commit
    merges = branch_of_merges(run.plan)
    return run.base or (merges if worktrees.has_branch(repository, merges) else "HEAD")


def _kept_beside(run: Run) -> Worktree | None:
    """Return the worktree that the runs below one parent share."""
    if run.workspace != Workspace.PERSISTENT:
        return None
    beside = Run.objects.filter(workspace=Workspace.PERSISTENT, task__parent=run.task.parent_id, removed_at=None)
    found = beside.exclude(pk=run.pk).exclude(branch="").exclude(state=RunState.TAMPERED).first()
    return replace(Worktree(**found.worktree), base_commit=found.head_commit or found.base_commit) if found else None


def _stored(run: Run, made: Worktree) -> Worktree:
    write(run, worktree=asdict(made), branch=made.branch, base_commit=run.base_commit or made.base_commit)
    return made


def _set_up(run: Run, settings: IsolationSettings, made: Worktree, jail: Jail | None) -> None:
    seconds = settings.setup_minutes * 60
    ran = ran_in(run, made, jail, settings.setup, seconds=seconds, name="setup", home=home_of(run))
    if ran.exit_code != 0:
        how = "took too long" if ran.exit_code is None else f"ended with {ran.exit_code}"
        raise SetupFailed(f"The setup command {how}.\n{ran.output[-_LOG_SHOWN:]}", next="Correct it in the settings.")


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a command of the project; the exit code is None where it did not end in time."""

    exit_code: int | None
    output: str


def ran_in(
    run: Run, made: Worktree, jail: Jail | None, argv: Sequence[str], *, seconds: float, name: str,
    home: Path | None = None, is_left: Callable[[], bool] = lambda: False,
) -> Ran:  # fmt: skip
    """Run a command of the project in a run's worktree, and end all that it started; also once `is_left` says so.

    Without a home it has one of its own, which is empty.
    """
    place = folder_of(run) / f"{name}-{secrets.token_hex(4)}"
    process = start(
        run_id=run.public_id, folder=place, argv=argv, cwd=Path(made.folder), jail=jail,
        environment={name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
        | {"HOME": str(home or place / "home")} | ports(run.pk % 500),
    )  # fmt: skip
    poll(lambda: wait(process, seconds=0) is not None or is_left(), seconds=seconds, interval=0.1)
    done = wait(process, seconds=0)
    end(process, grace=0)
    said = b"\n".join((*read(process, 0).lines, *read(process, 0, log=Log.ERRORS).lines)).decode(errors="replace")
    return Ran(done.code if done else None, said)
