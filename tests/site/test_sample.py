"""The sample project: complete, plausible in its times, and loaded only once."""

from __future__ import annotations

import struct
import subprocess
import sys

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from artifacts.models import Artifact, ArtifactVersion, Kind, ReviewComment
from orchestrator_site.kernel.errors import Conflict, Forbidden
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.sample.load import NAME, SLUGS, load_sample, sample_project
from tasks.choices import Status, Verb
from tasks.identity.actor import Actor
from tasks.models import Event, Project, Session, Task, ToolUse
from tests.factories import html_of, make_project, make_user, signed_in
from tests.site.processes import ROOT, manage

pytestmark = pytest.mark.django_db
OWNER = Actor(kind="person", name="ada")
QUERIES_LIMIT = 900  # one click loads it, in about a second


@pytest.fixture
def project() -> Project:
    return load_sample(actor=OWNER)


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


def test_loading_it_twice_returns_the_same_project(project: Project) -> None:
    before = (Task.objects.count(), Event.objects.count(), Artifact.objects.count())
    assert load_sample(actor=OWNER) == project
    assert (Task.objects.count(), Event.objects.count(), Artifact.objects.count()) == before


def test_it_is_recognized_after_a_rename(project: Project) -> None:
    Project.objects.filter(pk=project.pk).update(name="My bookshop")
    assert load_sample(actor=OWNER) == project


def test_a_project_with_its_slug_keeps_that_slug(client: Client) -> None:
    own = make_project(SLUGS[0])
    loaded = load_sample(actor=OWNER)
    assert (loaded.slug, loaded.name) == (SLUGS[1], NAME)
    assert not own.tasks.exists()


def test_loading_conflicts_if_all_slugs_are_taken() -> None:
    for slug in SLUGS:
        make_project(slug)
    with pytest.raises(Conflict):
        load_sample(actor=OWNER)
    assert sample_project() is None


def test_loading_it_takes_a_bounded_number_of_queries(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_max_num_queries(QUERIES_LIMIT):
        load_sample(actor=OWNER)


def test_only_an_owner_may_load_it() -> None:
    with pytest.raises(Forbidden):
        load_sample(actor=Actor(kind="person", name="eve", scopes=frozenset({Scope.WRITE, Scope.REVIEW})))
    assert sample_project() is None


def test_the_button_loads_it_and_redirects_home(client: Client) -> None:
    client.force_login(make_user(is_superuser=True))
    answer = client.post("/sample/", follow=True)
    assert answer.redirect_chain == [("/", 302)]
    sample = sample_project()
    assert sample and f'href="/projects/{sample.slug}/"' in html_of(answer)


@pytest.mark.parametrize("facts", [{}, {"is_staff": True}])
def test_others_see_no_button_and_may_not_post(client: Client, facts: dict[str, bool]) -> None:
    assert 'action="/sample/"' not in html_of(signed_in(client, **facts).get("/"))
    assert client.post("/sample/").status_code == 403
    assert not Project.objects.exists()


def test_anonymous_and_forged_posts_load_nothing() -> None:
    assert Client().post("/sample/")["Location"].startswith("/sign-in/")
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(make_user(is_superuser=True))
    assert strict.post("/sample/").status_code == 403
    assert not Project.objects.exists()


def test_get_loads_nothing(client: Client) -> None:
    client.force_login(make_user(is_superuser=True))
    assert client.get("/sample/").status_code == 405
    assert not Project.objects.exists()


@pytest.mark.usefixtures("fresh_home")
def test_two_processes_loading_concurrently_share_one_project() -> None:
    command = [sys.executable, "manage.py", "sample"]
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = [process.communicate(timeout=60)[0].strip() for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert printed[0] == printed[1] and printed[0].endswith("/projects/sample/")
    counted = manage("shell", "-v0", "-c", "from tasks.models import Project; print(Project.objects.count())")
    assert counted.stdout.strip() == "1"
