"""/projects/{project}/runs: start runs, forecast their merges, sum up their costs, sweep their worktrees."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.urls import reverse
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from orchestrator_site.rest.fields import Body, Choice, Integer, Number, String, StringList
from orchestrator_site.rest.idempotency import Reply
from orchestrator_site.rest.query_params import ID, Parameter
from tasks.agents.api.serializers import (
    CostsAnswer,
    ForecastAnswer,
    StartedAnswer,
    SweepAnswer,
    SweepPreview,
)
from tasks.agents.choices import Communication, Workspace
from tasks.agents.models import Run
from tasks.agents.requests import LEAST_USD, tasks_named, wish_of
from tasks.agents.selectors.runs import newest_below, run_of_task, runs_of, totals_by_plan, totals_of
from tasks.agents.services.merge import forecast_of
from tasks.agents.services.start import STARTED_AT_ONCE, start_runs
from tasks.agents.services.sweep import sweep, sweepable
from tasks.api.base import ProjectApi
from tasks.selectors.find import task_by_id

TASK = Parameter("task", "A plan, or a group or subtask of one, by its id.", ID, is_required=True)
TARGET = Parameter("target", "A branch; by default the one where the work of the plan's runs comes together.")
PLAN = Parameter("plan", "Of one plan, by the id of its root.", ID)


class StartBody(Body):
    """A group or plan means its unfinished subtasks. Limits can only be lower than the project's."""

    task_ids = StringList(min_length=1, max_length=STARTED_AT_ONCE)
    agent = String(required=False)
    model = String(required=False)
    timeout_minutes = Integer(required=False, min_value=1)
    idle_minutes = Integer(required=False, min_value=1)
    max_turns = Integer(required=False, min_value=1)
    max_cost_usd = Number(required=False, min_value=LEAST_USD, max_value=10_000)
    workspace = Choice(Workspace.values, required=False)
    communication = Choice(Communication.values, required=False)
    base = String(required=False)
    session_id = String(required=False)


class SweepBody(Body):
    session_id = String(required=False)


class ProjectRunViews(ProjectApi):
    """The runs of a project."""

    queryset = Run.objects.all()
    bodies = {"create": StartBody, "sweep": SweepBody}
    answers = {
        "create": StartedAnswer, "forecast": ForecastAnswer, "costs": CostsAnswer, "sweep_preview": SweepPreview,
        "sweep": SweepAnswer,
    }  # fmt: skip
    statuses = {"create": 201}
    parameters = {"forecast": (TASK, TARGET), "costs": (PLAN,)}

    def create(self, request: Request, project: str) -> Response:
        """Queue a run for each task, all or none."""
        found = self.project(project)
        actor, given = self.actor(found), self.given()
        tasks, user = tasks_named(found, given["task_ids"]), self.principal.user_id

        def produce() -> Reply:
            runs = start_runs(project=found, actor=actor, tasks=tasks, wish=wish_of(given), user_id=user)
            made = runs_of(found).filter(pk__in=[run.pk for run in runs]).order_by("pk")
            return self.reply({"results": made}, status=201, location=_address_of(runs))

        return self.once(produce, project=found)

    @action(detail=False)
    def forecast(self, request: Request, project: str) -> Response:
        """Say which runs below a task change what others or the target change, too."""
        found, asked = self.project(project), request.query_params
        task = task_by_id(found, asked.get("task", ""))
        runs = [run_of_task(task)] if task.is_leaf else list(newest_below(task))
        made = forecast_of(runs, target=asked.get("target", ""))
        empty: dict[str, Any] = {"target": "", "target_commit": "", "clashes": [], "behind": {}}
        return Response(self.shape(made or empty))

    @action(detail=False)
    def costs(self, request: Request, project: str) -> Response:
        """Sum up what runs used: of the project and of each plan."""
        found = self.project(project)
        runs = runs_of(found)
        if "plan" in request.query_params:
            runs = runs.filter(plan=task_by_id(found, request.query_params["plan"]))
        return Response(self.shape({"total": totals_of(runs), "plans": totals_by_plan(runs)}))

    @action(detail=False, url_path="sweep")
    def sweep_preview(self, request: Request, project: str) -> Response:
        """List the worktrees that a sweep would remove: old ones, and those beyond the quota."""
        sizes = [(run, size) for run, size in sweepable(self.project(project))]
        rows = [
            {"run_id": run.public_id, "bytes": size.bytes, "changed_at": datetime.fromtimestamp(size.changed_at, UTC)}
            for run, size in sizes
        ]
        return Response(self.shape({"results": rows, "bytes": sum(size.bytes for _, size in sizes)}))

    @sweep_preview.mapping.post
    def sweep(self, request: Request, project: str) -> Response:
        """Remove these worktrees, once what is left in them is on their branches, which stay."""
        found = self.project(project)
        self.actor(found)

        def produce() -> Reply:
            removed, kept = sweep(found)
            return Reply(self.shape({"removed": removed, "kept": kept}))

        return self.once(produce, project=found, is_apart=True)


def _address_of(runs: Sequence[Run]) -> str:
    """Return the URL of a run, or of all runs of the plan."""
    if len(runs) == 1:
        return reverse("api-run-detail", args=[runs[0].public_id])
    return f"{reverse('api-run-list')}?plan={runs[0].plan.public_id}"
