"""What happens here when a brief is made, and when a task is delivered or purged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.dispatch import receiver

from orchestrator_site.kernel.signals import brief_wanted, delivered, origins_wanted, tasks_purged
from tasks.library.contexts.choosing import shown
from tasks.library.models import Context, ContextUse, PlanOrigin, Recurring, Template
from tasks.library.selectors.contexts import contexts_for
from tasks.library.services.context_uses import keep_uses, mark_uses
from tasks.models import Task


@receiver(brief_wanted)
def add_contexts(*, task: Task, is_claimed: bool, **_: Any) -> list[tuple[str, str]]:
    text, entries = shown(contexts_for(task))
    if is_claimed and entries:
        keep_uses(task, entries)
    return [("Contexts", text)] if text else []


@receiver(delivered)
def mark_contexts(*, task: Task, lease_number: int, texts: Sequence[str], **_: Any) -> None:
    mark_uses(task, lease_number, texts)


@receiver(tasks_purged)
def forget_tasks(*, keys: Any, **_: Any) -> None:
    PlanOrigin.objects.filter(plan__in=keys).delete()
    ContextUse.objects.filter(task__in=keys).delete()
    Context.objects.filter(note__task__in=keys).update(note=None)
    Recurring.objects.filter(last_plan__in=keys).update(last_plan=None)
    Template.objects.filter(drafted_from__in=keys).update(drafted_from=None)


@receiver(origins_wanted)
def name_origins(*, plans: Sequence[int], **_: Any) -> dict[int, str]:
    rows = PlanOrigin.objects.filter(plan__in=plans).values_list("plan_id", "template", "version")
    return {plan: f"{template}@{version}" if version else template for plan, template, version in rows}
