"""Idempotency keys, written in the transaction of the change: the same call sent twice changes things once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import IntegrityError, transaction

from orchestrator_site.kernel.errors import Conflict, Invalid
from orchestrator_site.kernel.limits import KEY_LIMIT
from orchestrator_site.kernel.text import unstorable
from tasks.models import IdempotencyKey, Project

FORGET_BATCH = 500


def run_once(
    *,
    project: Project | None,
    operation: str,
    key: str | None,
    request: dict[str, Any],
    produce: Callable[[], dict[str, Any]],
) -> dict[str, Any]:
    """Return what `produce` answers, or what it answered when this key was first used.

    `project` is None for what belongs to none. Without a key it just runs. An error is not kept: nothing was changed,
    so the call may be tried again.

    Raises Conflict where the key was used for another request, and whatever `produce` raises.
    """
    if key is None:
        return produce()
    if not key.strip() or len(key) > KEY_LIMIT or unstorable(key):
        raise Invalid(
            f"idempotency_key: must have 1 to {KEY_LIMIT} characters.", next="Use a new UUID for every new call."
        )
    digest = fingerprint(request)
    if (known := recall(project=project, operation=operation, key=key, digest=digest)) is not None:
        return known
    try:
        with transaction.atomic():
            row = IdempotencyKey.objects.create(project=project, operation=operation, key=key, request_sha256=digest)
            answer = produce()
            row.response = json.loads(json.dumps(answer, cls=DjangoJSONEncoder))
            row.save(update_fields=["response"])
        return answer
    except IntegrityError:
        # Another process used the key between our look and our write; if it was not that, the error is real.
        known = recall(project=project, operation=operation, key=key, digest=digest)
        if known is None:
            raise
        return known


def run_once_apart(
    *,
    project: Project | None,
    operation: str,
    key: str | None,
    request: dict[str, Any],
    produce: Callable[[], dict[str, Any]],
) -> dict[str, Any]:
    """Do as `run_once` does, without a transaction around what takes long and guards itself against a second time."""
    known = recall(project=project, operation=operation, key=key, digest=fingerprint(request)) if key else None
    answer = known or produce()
    return run_once(project=project, operation=operation, key=key, request=request, produce=lambda: answer)


def fingerprint(request: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(request, sort_keys=True, default=str).encode()).hexdigest()


def recall(*, project: Project | None, operation: str, key: str, digest: str) -> dict[str, Any] | None:
    """Return the answer that a key has earned, or None. Raises Conflict where it was earned by another request."""
    row = IdempotencyKey.objects.filter(project=project, operation=operation, key=key).first()
    if row is None:
        return None
    if row.request_sha256 != digest:
        raise Conflict(
            "This idempotency_key was used for a call with other arguments.",
            next="Use a new key for a new call, and the same key only to retry it.",
        )
    return {**row.response, "replayed": True}


def forget(*, before: datetime) -> int:
    """Delete the keys that were used before a time; return how many.

    The oldest come first by id, so they are looked up and not searched for, and each transaction is short.
    """
    total = 0
    while True:
        oldest = IdempotencyKey.objects.order_by("id").values_list("id", "created_at")[:FORGET_BATCH]
        old = [pk for pk, created_at in oldest if created_at < before]
        total += IdempotencyKey.objects.filter(pk__in=old).delete()[0] if old else 0
        if len(old) < FORGET_BATCH:
            return total
