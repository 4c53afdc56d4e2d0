"""Bring the collected work of runs together: a forecast, a merge that touches no checkout, or a farewell to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from django.db import IntegrityError, transaction
from django.utils import timezone

from orchestrator_site.kernel.commits import note_commit
from orchestrator_site.kernel.errors import Conflict, Forbidden
from orchestrator_site.kernel.identity import Scope
from tasks import events
from tasks.agents import worktrees
from tasks.agents.choices import LIVE, RunState, Workspace
from tasks.agents.models import Run
from tasks.agents.selectors.branches import branch_of_merges
from tasks.agents.services.transitions import move
from tasks.agents.worktrees import Forecast, Merged, Mode, Worktree
from tasks.choices import Verb
from tasks.identity.actor import Actor


def merge_run(
    *, run: Run, actor: Actor, mode: Mode = Mode.SQUASH, target: str = "", dry_run: bool = True, expected: str = ""
) -> Merged:
    """Merge the work of a run into a branch, by default the one where the work of its plan comes together.

    A dry run only says whether it would merge. Otherwise needs `review`. Raises Conflict where there is nothing to
    merge or the target is checked out, Stale where the target is no longer at `expected`.
    """
    if actor.only_task is not None:
        raise Forbidden("An agent in a run merges nothing.", next="Do your subtask.")
    actor.require(Scope.READ if dry_run else Scope.REVIEW)
    worktree, aim = _mergeable(run), target or branch_of_merges(run.plan)
    if not target and expected == run.base_commit and not worktrees.has_branch(worktree.repository, aim):
        expected = ""  # what a dry run says of a branch that is yet to be made
    merged = worktrees.merge(
        worktree.repository, head=run.head_commit, base=run.base_commit, target=aim, mode=mode,
        message=_message(run), dry_run=dry_run, expected=expected or None, create=not target,
    )  # fmt: skip
    if merged.commit:
        note_commit()  # the branch has moved, whatever becomes of the rows
        _note_merge(run, actor, merged)
    return merged


def _mergeable(run: Run) -> Worktree:
    if run.state in LIVE:
        raise Conflict(f"{run.public_id} is still {run.state}.", next="Wait until it has ended.")
    if run.state == RunState.TAMPERED:
        raise Conflict(f"{run.public_id} is tampered: {run.reason}", next="Look at its changes yourself.")
    if not run.head_commit or run.workspace == Workspace.CURRENT:
        raise Conflict(f"{run.public_id} has changed no files.", next="There is nothing to merge.")
    if run.merged_commit or run.dismissed_at:
        raise Conflict(f"{run.public_id} was {'merged' if run.merged_commit else 'dismissed'} already.")
    return Worktree(**run.worktree)


def _message(run: Run) -> str:
    return f"{run.task.title}\n\n{run.task.summary}\n\nTask: {run.task.public_id}\nRun: {run.public_id}".strip()


def _note_merge(run: Run, actor: Actor, merged: Merged) -> None:
    with transaction.atomic():
        Run.objects.filter(pk=run.pk).update(merged_commit=merged.commit)
        note = {"run": run.public_id, "merged_into": merged.target, "commit": merged.commit}
        events.record(actor=actor, verb=Verb.RUN, project=run.project_id, task=run.task, after=note)
    run.merged_commit = merged.commit or ""


def dismiss(*, run: Run, actor: Actor) -> Run:
    """Say that the work of a run is not wanted: nothing builds on it. Its branch stays. Needs `review`."""
    actor.require(Scope.REVIEW)
    if run.state != RunState.TAMPERED:
        _mergeable(run)
    with transaction.atomic():
        Run.objects.filter(pk=run.pk).update(dismissed_at=timezone.now())
        note = {"run": run.public_id, "dismissed": True}
        events.record(actor=actor, verb=Verb.RUN, project=run.project_id, task=run.task, after=note)
    run.refresh_from_db(fields=["dismissed_at"])
    return run


def trust(*, run: Run, actor: Actor) -> Run:
    """Have a tampered run collected after all, by a person with `review` who looked at what was changed.

    Raises Forbidden, Conflict where it is not tampered, was dismissed, or its task has another run.
    """
    actor.require(Scope.REVIEW)
    if actor.kind != "person":
        raise Forbidden("Only a person may trust a tampered run, in the browser.", next="Ask one.")
    if run.state != RunState.TAMPERED or run.dismissed_at or not run.worktree:
        raise Conflict(f"{run.public_id} is no tampered run that could be collected.", next="Look at its state.")
    worktree = asdict(worktrees.trusted(Worktree(**run.worktree)))
    try:
        return move(run, RunState.COLLECTING, actor=actor, worktree=worktree)
    except IntegrityError as error:
        raise Conflict("The task has another run.", next="Wait until that has ended.") from error


def forecast_of(runs: Sequence[Run], *, target: str = "") -> Forecast | None:
    """Say which of these runs' changes conflict with each other or the target; None where none has any.

    All of one repository. Raises what `worktrees.forecast` raises.
    """
    changed = [run for run in runs if run.head_commit and not (run.merged_commit or run.dismissed_at)]
    changed = [run for run in changed if run.state != RunState.TAMPERED and run.worktree]
    if not changed:
        return None
    repository = changed[0].worktree["repository"]
    merges = branch_of_merges(changed[0].plan)
    aim = target or (merges if worktrees.has_branch(repository, merges) else changed[0].base_commit)
    return worktrees.forecast(repository, target=aim, heads={run.public_id: run.head_commit for run in changed})
