"""Works that come and go, in a process of its own: `python -m tests.artifacts.storer deliver|churn|sweep SECONDS`."""

from __future__ import annotations

import os
import sys
import time
from datetime import timedelta
from functools import cache
from typing import Any

import django


def deliver(until: float) -> int:
    """Deliver the same works as others and some of one's own, small and large, and remove some again."""
    from artifacts.models import Artifact

    rounds = 0
    while time.monotonic() < until:
        rounds += 1
        for text in (f"small {rounds}", f"common {rounds % 7} " * 9000, f"{os.getpid()} {rounds} " * 9000):
            artifact = _store(text)
            if rounds % 3 == 0:
                Artifact.objects.get(pk=artifact).delete()
    return rounds


def churn(until: float) -> int:
    """Deliver one work again and again; each time its artifact is removed, and what is left of it is two days old."""
    from artifacts import storage
    from artifacts.models import Artifact, Content

    rounds, text = 0, f"The same, {os.getpid()}. " * 9000
    while time.monotonic() < until:
        artifact = _store(text)
        for _ in range(3):
            assert storage.text_of(Content.objects.get(versions__artifact=artifact)) == text
        content = Content.objects.get(versions__artifact=artifact)
        Artifact.objects.get(pk=artifact).delete()
        _age(content)
        rounds += 1
    assert _store(text)
    return rounds


def sweep(until: float) -> int:
    """Sweep without a break."""
    from artifacts.services.sweep import remove_orphans

    removed = 0
    while time.monotonic() < until:
        removed += remove_orphans()
    return removed


def _store(text: str) -> int:
    from django.db import transaction

    from artifacts import storage
    from artifacts.services.store import store_artifact
    from tasks.identity.actor import Actor

    prepared = storage.prepare(text)
    with transaction.atomic():
        task = _task()
        return store_artifact(
            task=task, actor=Actor.system(), prepared=prepared, paths=[os.urandom(8).hex()]
        ).artifact.pk


@cache
def _task() -> Any:
    """Make the task of this process."""
    from tests.factories import make_project, make_task

    project = make_project(f"project-{os.urandom(6).hex()}")
    return make_task(project, public_id=f"task_{os.urandom(4).hex()}")


def _age(content: Any) -> None:
    """Let a content that only this process stores be two days old, in the database and in the folder."""
    from django.utils import timezone

    from artifacts import storage
    from artifacts.models import Content
    from artifacts.storage.base import place_of

    os.utime(storage.folder() / place_of(content.stored_as), (time.time() - 200_000,) * 2)
    Content.objects.filter(pk=content.pk).update(stored_at=timezone.now() - timedelta(days=2))


if __name__ == "__main__":
    django.setup()
    print(globals()[sys.argv[1]](time.monotonic() + float(sys.argv[2])), flush=True)
