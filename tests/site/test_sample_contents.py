"""What the sample project shows, and that its times are plausible."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone
from pytest_django.plugin import DjangoDbBlocker

from artifacts.models import Artifact, ArtifactVersion, Kind, ReviewComment
from orchestrator_site.sample.load import load_sample
from tasks.choices import Status, Verb
from tasks.identity.actor import Actor
from tasks.models import Attempt, Event, Project, Session, Task, ToolUse
from tests.factories import signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def project(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Project]:
    """Load the sample once for all tests, which only read it."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield load_sample(actor=Actor(kind="person", name="ada"))
        transaction.set_rollback(True)


def test_it_has_a_task_in_every_state_and_a_ready_one(project: Project) -> None:
    leaves = Task.objects.filter(project=project).leaves()
    assert set(leaves.values_list("status", flat=True)) == set(Status.values)
    assert leaves.ready().exists()
    assert leaves.filter(status=Status.PENDING, is_ready=False).exists()


def test_it_has_a_finished_plan_and_an_unfinished_one(project: Project) -> None:
    assert set(Task.objects.filter(project=project).plans().values_list("status", flat=True)) == {
        Status.COMPLETED,
        Status.ACTIVE,
    }


def test_it_has_artifacts_of_many_kinds_and_an_image(project: Project, client: Client) -> None:
    artifacts = Artifact.objects.filter(project=project)
    assert {Kind.CODE, Kind.DESIGN, Kind.ANALYSIS, Kind.TEST, Kind.CONFIG} <= set(
        artifacts.values_list("kind", flat=True)
    )
    image = artifacts.get(paths__path__endswith=".png")
    answer = signed_in(client).get(f"/artifacts/{image.public_id}/image/")
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/png")
    data = b"".join(answer) if answer.streaming else answer.content
    assert data.startswith(b"\x89PNG") and struct.unpack(">II", data[16:24]) == (480, 160)


def test_a_second_version_is_in_review_after_a_revision_request_with_comments(project: Project) -> None:
    artifact = Artifact.objects.get(project=project, version=2)
    assert artifact.task.status == Status.IN_REVIEW
    comments = ReviewComment.objects.filter(task=artifact.task)
    assert [comment.lines for comment in comments] == ["line 27", "lines 34-36"]
    assert all(comment.sent_at and comment.quote for comment in comments)


def test_comments_are_on_the_lines_they_discuss(project: Project) -> None:
    quotes = [comment.quote for comment in ReviewComment.objects.filter(task__project=project).order_by("id")]
    assert [quote.split("(")[0].split(" =")[0] for quote in quotes] == [
        '"Idempotency-Key": randomUUID',
        "if ",
        "event",
    ]


def test_event_times_are_in_order_and_in_the_past(project: Project) -> None:
    events = list(Event.objects.filter(project=project).order_by("id"))
    times = [event.created_at for event in events]
    assert times == sorted(times)
    assert times[-1] <= timezone.now()
    assert (times[-1] - times[0]).days >= 1


def test_times_of_rows_match_their_events(project: Project) -> None:
    for task in Task.objects.filter(project=project):
        own = list(Event.objects.filter(task=task).order_by("id"))
        assert task.created_at == own[0].created_at
        assert task.created_at <= (task.started_at or task.created_at) <= (task.completed_at or task.updated_at)
        assert task.updated_at in [event.created_at for event in own]
    for version in ArtifactVersion.objects.filter(artifact__project=project):
        delivered = Event.objects.get(
            project=project,
            verb=Verb.DELIVER,
            after__artifact_id=version.artifact.public_id,
            after__version=version.number,
        )
        assert version.created_at == delivered.created_at
    for comment in ReviewComment.objects.filter(task__project=project):
        assert comment.version and comment.sent_at
        assert comment.version.created_at < comment.created_at < comment.sent_at


def test_three_assistants_took_part_and_two_hold_leases(project: Project) -> None:
    sessions = Session.objects.filter(project=project)
    assert set(sessions.values_list("client_name", flat=True)) == {"claude-code", "codex", "gemini-cli"}
    held = Task.objects.filter(project=project, status=Status.ACTIVE).leaves()
    assert {task.lease_holder for task in held} == {"claude-code", "gemini-cli"}
    assert all(task.lease_expires_at and task.lease_expires_at > timezone.now() for task in held)


def test_sessions_count_their_tool_calls_and_errors(project: Project) -> None:
    uses = ToolUse.objects.filter(session__project=project).select_related("session")
    for use in uses:
        assert use.calls >= 1 and use.bytes_sent > 0
        assert use.session.started_at <= use.first_at <= use.last_at <= use.session.last_seen_at
    claims = Event.objects.filter(project=project, verb=Verb.CLAIM, session__isnull=False).count()
    assert sum(use.calls for use in uses if use.tool == "orchestrator_execute_subtask") == claims
    assert [(use.session.client_name, use.calls, use.errors, use.last_error) for use in uses if use.errors] == [
        ("gemini-cli", 2, 1, "invalid")
    ]


def test_attempts_have_their_models_times_and_what_some_used(project: Project) -> None:
    attempts = Attempt.objects.filter(task__project=project)
    assert all(attempt.model for attempt in attempts)
    assert {attempt.cost_usd is None for attempt in attempts} == {True, False}
    assert {attempt.read_tokens is None for attempt in attempts} == {True, False}
    claimed = Event.objects.filter(project=project, verb=Verb.CLAIM).values_list("created_at", flat=True)
    assert all(attempt.started_at in claimed and attempt.ended_at > attempt.started_at for attempt in attempts)


def test_every_leaf_has_an_effort_in_numbers_and_some_are_due(project: Project) -> None:
    leaves = Task.objects.filter(project=project).leaves()
    assert not leaves.filter(effort_minutes=None).exists()
    assert {leaf.due is None for leaf in leaves} == {True, False}
