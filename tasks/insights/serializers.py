"""What the tools of routing show: rounded numbers, and nothing of what is too few to say."""

from __future__ import annotations

from typing import Any

from orchestrator_site.kernel.errors import invalid
from tasks.insights.selectors.figures import Figure
from tasks.insights.selectors.success import Success
from tasks.insights.selectors.times import Times
from tasks.insights.selectors.workload import Load, Workload
from tasks.models import Task
from tasks.serializers import within

Facts = dict[str, Any]
TOO_FEW = "too few"
LOADS_BYTES = 1_100
OFF = "Suggestions are switched off in the project's settings (routing.suggest)."


def wanted(requirements: str, task: Task | None) -> Facts:
    """Return what a specialist is wanted for, the first line as the title. Raises Invalid where nothing says it."""
    title, _, details = (task.title, "", task.description) if task else requirements.strip().partition("\n")
    if not title:
        raise invalid([{"at": "task_requirements", "problem": "is required: a title, and then details"}])
    return {"title": title, "description": details, "task": task}


def success_facts(found: Success) -> Facts:
    facts: Facts = {"of": found.dimension.value, "name": found.key, "n": found.n}
    if found.rate is None or found.low is None or found.high is None or found.shrunk is None:
        return {**facts, "success": "new: worth a try" if found.is_new else TOO_FEW}
    interval = [round(found.low, 2), round(found.high, 2)]
    return {
        **facts,
        "success": round(found.rate, 2),
        "interval": interval,
        "shrunk": round(found.shrunk, 2),
        **({"is_new": True} if found.is_new else {}),
    }


def times_facts(found: Times | None) -> Facts:
    if found is None:
        return {"minutes": TOO_FEW}
    like = found.like.replace("/", ", ") or "every task of the project"
    return {"p50_minutes": _minutes(found.p50), "p90_minutes": _minutes(found.p90), "n": found.n, "like": like}


def loads_facts(found: Workload) -> Facts:
    over = found.over
    rows = within(found.loads, lambda load: _load_facts(load, is_over=load in over), budget=LOADS_BYTES)
    return {"specialists": rows, "total": len(found.loads), "window_days": found.days, "horizon": found.horizon.value}


def _load_facts(load: Load, *, is_over: bool) -> Facts:
    return {
        "specialist_type": load.specialist,
        "held": load.held,
        "ready": load.ready,
        "waiting": load.waiting,
        "in_review": load.in_review or None,
        "arrivals_per_day": _rounded(load.arrivals),
        "finishes_per_day": _rounded(load.finishes),
        "n": load.n,
        "load": TOO_FEW if load.share is None else _rounded(load.share),
        "is_over": is_over or None,
        "days_through": None if load.days_through is None else round(load.days_through, 1),
        "review_wait_minutes": None if load.review_wait is None else _minutes(load.review_wait),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _minutes(seconds: float) -> float:
    return round(seconds / 60, 1)


def figure_facts(figure: Figure) -> Facts:
    if not figure.is_enough:
        return {"name": figure.name, "n": figure.n, "value": TOO_FEW}
    high = {"high": round(figure.high, 3)} if figure.high is not None else {}
    return {"name": figure.name, "n": figure.n, "value": round(figure.value, 3), **high}
