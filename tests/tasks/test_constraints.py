"""What the database itself refuses, whatever code writes to it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from artifacts.models import INLINE_LIMIT, Artifact, ArtifactPath, ArtifactVersion, Content
from tasks.choices import Verb
from tasks.models import Dependency, Event, IdempotencyKey, Project, Session, Specialist, Task
from tests.factories import make_plan, make_project, make_session, make_task

NOW = datetime(2026, 1, 1, tzinfo=UTC)

BAD_TASKS: dict[str, dict[str, Any]] = {
    "no title": {"title": ""},
    "an unknown status": {"status": "archived"},
    "an unknown complexity": {"complexity": "heroic"},
    "an unknown priority": {"priority": 9},
    "active without a lease": {"status": "active", "is_leaf": True},
    "a lease without work": {"lease_expires_at": NOW},
    "a holder without work": {"lease_holder": "Claude Code"},
    "completed without a time": {"status": "completed"},
    "a time without completion": {"completed_at": NOW},
    "blocked without a reason": {"status": "blocked"},
    "failed without a reason": {"status": "failed"},
    "sent back without a comment": {"status": "needs_revision"},
    "a root with a depth": {"depth": 1},
}


@pytest.mark.django_db
@pytest.mark.parametrize("case", BAD_TASKS)
def test_a_task_cannot_have(case: str) -> None:
    task = make_task(make_project())
    with pytest.raises(IntegrityError), transaction.atomic():
        Task.objects.filter(pk=task.pk).update(**BAD_TASKS[case])


@pytest.mark.django_db
def test_a_task_is_not_its_own_parent() -> None:
    task = make_task(make_project())
    with pytest.raises(IntegrityError), transaction.atomic():
        Task.objects.filter(pk=task.pk).update(parent=task, root=task, depth=1)


@pytest.mark.django_db
def test_a_subtask_has_a_root() -> None:
    plan = make_plan(make_project(), 1)
    with pytest.raises(IntegrityError), transaction.atomic():
        plan.children.update(root=None)


@pytest.mark.django_db
def test_rows_exist_once() -> None:
    project = make_project(root_path="/somewhere")
    session = make_session(project)
    task = make_task(project)
    need = make_task(project)
    Dependency.objects.create(task=task, depends_on=need)
    Specialist.objects.create(name="tester", role_definition="x")
    Specialist.objects.create(name="tester", role_definition="x", project=project)
    content = Content.objects.create(sha256="a" * 64, size_bytes=1, size_chars=1, data=b"a")
    artifact = Artifact.objects.create(public_id="artifact_1", project=project, task=task)
    ArtifactVersion.objects.create(artifact=artifact, number=1, content=content, actor_name="x")
    ArtifactPath.objects.create(artifact=artifact, project=project, path="a.py")
    IdempotencyKey.objects.create(project=project, operation="plan_task", key="k", request_sha256="0")
    twice: list[Any] = [
        Project(slug=project.slug, name="x"),
        Project(slug="other", name="x", root_path="/somewhere"),
        Session(public_id="s", project=project, connection_id=session.connection_id),
        Task(project=project, public_id=task.public_id, title="x"),
        Dependency(task=task, depends_on=need),
        Specialist(name="tester", role_definition="y"),
        Specialist(name="tester", role_definition="y", project=project),
        Content(sha256="a" * 64, size_bytes=1, size_chars=1, data=b"a"),
        Artifact(public_id="artifact_1", project=project, task=task),
        ArtifactVersion(artifact=artifact, number=1, content=content, actor_name="x"),
        ArtifactPath(artifact=artifact, project=project, path="a.py"),
        IdempotencyKey(project=project, operation="plan_task", key="k", request_sha256="0"),
    ]
    for row in twice:
        with pytest.raises(IntegrityError), transaction.atomic():
            type(row).objects.bulk_create([row])


@pytest.mark.django_db
def test_values_that_cannot_be_are_refused() -> None:
    project = make_project()
    task = make_task(project)
    artifact = Artifact.objects.create(public_id="artifact_1", project=project, task=task)
    content = Content.objects.create(sha256="a" * 64, size_bytes=1, size_chars=1, data=b"a")
    wrong: list[Any] = [
        Project(slug="x", name=""),
        Dependency(task=task, depends_on=task),
        Specialist(name="x", role_definition=""),
        IdempotencyKey(project=project, operation="x", key="", request_sha256="0"),
        Content(sha256="b" * 64, size_bytes=INLINE_LIMIT + 1, size_chars=1, data=b"a"),
        Content(sha256="c" * 64, size_bytes=1, size_chars=1, data=b"a", index=b"i", stored_as="c"),
        Artifact(public_id="artifact_2", project=project, task=task, kind="poem"),
        ArtifactVersion(artifact=artifact, number=0, content=content, actor_name="x"),
        ArtifactPath(artifact=artifact, project=project, path="/etc/passwd"),
        ArtifactPath(artifact=artifact, project=project, path=""),
        Event(project=project, actor_kind="ghost", actor_name="x", verb=Verb.PLAN),
    ]
    for row in wrong:
        with pytest.raises(IntegrityError), transaction.atomic():
            type(row).objects.bulk_create([row])
    assert not Event.objects.exists()
