"""How plans from a template went, by its versions and beside plans without one, and where they left it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

ENOUGH = 5
"""Finished plans from which rates are shown; fewer say too little."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What came of a plan; `template` is empty where it came from none. Counts are of its subtasks."""

    template: str
    version: str
    is_completed: bool
    is_cancelled: bool
    lead_seconds: float
    completed: int
    sent_back: int
    added: int
    cancelled: int


@dataclass(frozen=True, slots=True)
class Rates:
    """Shares from 0 to 1, and subtasks per plan. `lead_seconds` is the median from planning to completion."""

    completed: float
    first_pass: float | None
    added: float
    cancelled: float
    lead_seconds: float | None


@dataclass(frozen=True, slots=True)
class Success:
    """The plans of one version of a template; without `rates`, too few of them have ended."""

    template: str
    version: str
    plans: int
    ended: int
    rates: Rates | None


@dataclass(frozen=True, slots=True)
class Drift:
    """A plan that is not as its template is now, or that its template did not foresee.

    `is_changed` says that the template's text is another though its version is the same; `is_gone`, that there is no
    such template any more.
    """

    plan: str
    title: str
    template: str
    version: str
    is_changed: bool
    is_gone: bool
    added: tuple[str, ...]
    cancelled: tuple[str, ...]

    def __bool__(self) -> bool:
        return self.is_changed or self.is_gone or bool(self.added or self.cancelled)


def successes(plans: Iterable[Plan]) -> list[Success]:
    """Return one row for each version, those of plans without a template last."""
    grouped: dict[tuple[str, str], list[Plan]] = {}
    for plan in plans:
        grouped.setdefault((plan.template, plan.version), []).append(plan)
    rows = [_success(template, version, found) for (template, version), found in grouped.items()]
    return sorted(rows, key=lambda row: (not row.template, row.template, row.version))


def _success(template: str, version: str, plans: list[Plan]) -> Success:
    ended = [plan for plan in plans if plan.is_completed or plan.is_cancelled]
    return Success(template, version, len(plans), len(ended), _rates(ended) if len(ended) >= ENOUGH else None)


def _rates(ended: list[Plan]) -> Rates:
    delivered = sum(plan.completed for plan in ended)
    leads = [plan.lead_seconds for plan in ended if plan.is_completed]
    return Rates(
        completed=sum(plan.is_completed for plan in ended) / len(ended),
        first_pass=1 - sum(plan.sent_back for plan in ended) / delivered if delivered else None,
        added=sum(plan.added for plan in ended) / len(ended),
        cancelled=sum(plan.cancelled for plan in ended) / len(ended),
        lead_seconds=median(leads) if leads else None,
    )
