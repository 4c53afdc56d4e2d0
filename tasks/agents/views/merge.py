"""Merge the changes of a run: what would conflict, into which branch, and the merge itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render

from orchestrator_site.kernel.db_errors import db_errors_mapped
from orchestrator_site.kernel.errors import OrchestratorError
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.web.pages import form
from tasks.agents import worktrees
from tasks.agents.models import Run
from tasks.agents.selectors import pages
from tasks.agents.selectors.branches import branch_of_merges
from tasks.agents.services.merge import forecast_of, merge_run
from tasks.agents.views.find import find_run
from tasks.agents.worktrees import Merged, Mode
from tasks.identity.page import actor_of

BRANCH_LENGTH = 200
MODES = {Mode.SQUASH: "One commit", Mode.MERGE: "Its commits and a merge"}
FORECAST_OF = 12
"""How many runs are compared, each with each, which takes some hundredths of a second for each pair."""


@dataclass(slots=True)
class Outlook:
    """What conflicts with what: pairs of runs, or of a run and the target (None), with their paths."""

    target: str = ""
    clashes: list[tuple[Run | None, Run | None, list[str]]] = field(default_factory=list)
    behind: int = 0
    runs: int = 0
    problem: OrchestratorError | None = None


@form(Scope.REVIEW)
def merge(request: HttpRequest, public_id: str) -> HttpResponseBase:
    run = find_run(public_id)
    if request.method != "POST":
        return _page(request, run, request.GET)
    try:
        with db_errors_mapped("a merge on a page"):
            merged = _merged(request, run, request.POST, dry_run=False)
    except OrchestratorError as error:
        return _page(request, run, request.POST, error)
    if merged.conflicts:
        return _page(request, run, request.POST)
    messages.success(request, f"Merged into {merged.target}. Your checkout was not touched.", extra_tags="merged")
    return redirect("run", public_id)


def _merged(request: HttpRequest, run: Run, given: Any, *, dry_run: bool) -> Merged:
    target = given.get("target", "").strip()[:BRANCH_LENGTH]
    mode = Mode.MERGE if given.get("mode") == Mode.MERGE else Mode.SQUASH
    return merge_run(
        run=run, actor=actor_of(request), mode=mode, target="" if target == branch_of_merges(run.plan) else target,
        dry_run=dry_run, expected="" if dry_run else given.get("expected", ""),
    )  # fmt: skip


def _page(request: HttpRequest, run: Run, given: Any, error: OrchestratorError | None = None) -> HttpResponse:
    rehearsal, why_not = None, None
    try:
        rehearsal = _merged(request, run, given, dry_run=True)
    except OrchestratorError as fault:
        why_not = fault
    usual = branch_of_merges(run.plan)
    target = given.get("target", "").strip()[:BRANCH_LENGTH] or usual
    is_there = rehearsal is not None and worktrees.has_branch(run.worktree["repository"], target)
    context = {
        "run": run,
        "task": run.task,
        "rehearsal": rehearsal,
        "why_not": why_not,
        "error": error,
        "target": target,
        "usual": usual,
        "is_new": rehearsal is not None and not is_there,
        "expected": rehearsal.target_before if rehearsal and is_there else "",
        "mode": Mode.MERGE if given.get("mode") == Mode.MERGE else Mode.SQUASH,
        "modes": MODES.items(),
        "outlook": outlook(run.plan_id, target="" if target == usual else target, about=run) if rehearsal else None,
    }
    return render(request, "agents/merge.html", context, status=error.status if error else 200)


def outlook(plan: int, *, target: str = "", about: Run | None = None) -> Outlook | None:
    """Forecast which unmerged runs of a plan conflict, all or those with one; None where there are none."""
    others = [run for run in pages.unmerged(plan) if about is None or run.pk != about.pk]
    runs = [*([about] if about else []), *others][:FORECAST_OF]
    by_id: dict[str, Run] = {run.public_id: run for run in runs}
    try:
        found = forecast_of(runs, target=target)
    except OrchestratorError as error:
        return Outlook(runs=len(runs), problem=error)
    if found is None:
        return None
    clashes = [
        (by_id.get(clash.left), by_id.get(clash.right), clash.paths)
        for clash in found.clashes
        if about is None or about.public_id in (clash.left, clash.right)
    ]
    shown = found.target if found.target != found.target_commit else found.target[:10]
    return Outlook(shown, clashes, found.behind.get(about.public_id, 0) if about else 0, len(runs))
