"""The sample project: whole, at once, once, and told in an order that could have been."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from django.test import Client
from django.utils import timezone

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
GOAL_SECONDS = 2


@pytest.fixture
def project() -> Project:
    return load_sample(actor=OWNER)


def test_it_holds_a_task_in_every_state_and_one_that_is_ready(project: Project) -> None:
    leaves = Task.objects.filter(project=project).leaves()
    assert set(leaves.values_list("status", flat=True)) == set(Status.values)
    assert leaves.ready().exists()
    assert leaves.filter(status=Status.PENDING, is_ready=False).exists()


def test_it_holds_a_plan_that_is_finished_and_one_that_is_not(project: Project) -> None:
    assert set(Task.objects.filter(project=project).plans().values_list("status", flat=True)) == {
        Status.COMPLETED,
        Status.ACTIVE,
    }


def test_it_holds_work_of_many_kinds_and_a_picture(project: Project, client: Client) -> None:
    works = Artifact.objects.filter(project=project)
    assert {Kind.CODE, Kind.DESIGN, Kind.ANALYSIS, Kind.TEST, Kind.CONFIG} <= set(works.values_list("kind", flat=True))
    picture = works.get(paths__path__endswith=".png")
    answer = signed_in(client).get(f"/artifacts/{picture.public_id}/image/")
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/png")


def test_a_second_version_waits_for_review_after_the_first_was_sent_back_with_comments(project: Project) -> None:
    artifact = Artifact.objects.get(project=project, version=2)
    assert artifact.task.status == Status.IN_REVIEW
    comments = ReviewComment.objects.filter(task=artifact.task)
    assert [comment.lines for comment in comments] == ["line 27", "lines 34-36"]
    assert all(comment.sent_at and comment.quote for comment in comments)


def test_comments_stand_at_the_lines_that_they_are_about(project: Project) -> None:
    quotes = [comment.quote for comment in ReviewComment.objects.filter(task__project=project).order_by("id")]
    assert [quote.split("(")[0].split(" =")[0] for quote in quotes] == [
        '"Idempotency-Key": randomUUID',
        "if ",
        "event",
    ]


def test_its_times_are_in_order_and_in_the_past(project: Project) -> None:
    events = list(Event.objects.filter(project=project).order_by("id"))
    times = [event.created_at for event in events]
    assert times == sorted(times)
    assert times[-1] <= timezone.now()
    assert (times[-1] - times[0]).days >= 1


def test_the_times_of_its_rows_are_those_of_its_events(project: Project) -> None:
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


def test_its_assistants_came_one_after_the_other_and_two_are_at_work(project: Project) -> None:
    sessions = Session.objects.filter(project=project)
    assert set(sessions.values_list("client_name", flat=True)) == {"claude-code", "codex", "gemini-cli"}
    held = Task.objects.filter(project=project, status=Status.ACTIVE).leaves()
    assert {task.lease_holder for task in held} == {"claude-code", "gemini-cli"}
    assert all(task.lease_expires_at and task.lease_expires_at > timezone.now() for task in held)


def test_its_sessions_show_what_their_calls_cost(project: Project) -> None:
    uses = ToolUse.objects.filter(session__project=project).select_related("session")
    for use in uses:
        assert use.calls >= 1 and use.bytes_sent > 0
        assert use.session.started_at <= use.first_at <= use.last_at <= use.session.last_seen_at
    claims = Event.objects.filter(project=project, verb=Verb.CLAIM, session__isnull=False).count()
    assert sum(use.calls for use in uses if use.tool == "orchestrator_execute_subtask") == claims
    assert [(use.session.client_name, use.calls, use.errors, use.last_error) for use in uses if use.errors] == [
        ("gemini-cli", 2, 1, "invalid")
    ]


def test_loading_it_twice_gives_the_same_project_and_adds_nothing(project: Project) -> None:
    before = (Task.objects.count(), Event.objects.count(), Artifact.objects.count())
    assert load_sample(actor=OWNER) == project
    assert (Task.objects.count(), Event.objects.count(), Artifact.objects.count()) == before


def test_it_is_known_under_another_name(project: Project) -> None:
    Project.objects.filter(pk=project.pk).update(name="My bookshop")
    assert load_sample(actor=OWNER) == project


def test_a_project_of_its_address_keeps_it(client: Client) -> None:
    own = make_project(SLUGS[0])
    loaded = load_sample(actor=OWNER)
    assert (loaded.slug, loaded.name) == (SLUGS[1], NAME)
    assert not own.tasks.exists()


def test_where_all_its_addresses_are_taken_it_says_so() -> None:
    for slug in SLUGS:
        make_project(slug)
    with pytest.raises(Conflict, match="addresses of the sample"):
        load_sample(actor=OWNER)


def test_it_takes_no_longer_than_a_click_may() -> None:
    began = time.process_time()
    load_sample(actor=OWNER)
    assert time.process_time() - began < GOAL_SECONDS


def test_nobody_but_an_owner_loads_it() -> None:
    with pytest.raises(Forbidden):
        load_sample(actor=Actor(kind="person", name="eve", scopes=frozenset({Scope.WRITE, Scope.REVIEW})))
    assert sample_project() is None


def test_the_button_loads_it_and_leads_home(client: Client) -> None:
    client.force_login(make_user(is_superuser=True))
    answer = client.post("/sample/", follow=True)
    assert answer.redirect_chain == [("/", 302)]
    page = html_of(answer)
    assert "Talk to the payment provider" in page and "is here" in page


@pytest.mark.parametrize("facts", [{}, {"is_staff": True}])
def test_others_are_refused_and_are_told_whom_to_ask(client: Client, facts: dict[str, bool]) -> None:
    page = html_of(signed_in(client, **facts).get("/"))
    assert 'action="/sample/"' not in page and "Ask whoever runs this site" in page
    assert client.post("/sample/").status_code == 403
    assert not Project.objects.exists()


def test_a_stranger_and_a_form_without_its_token_load_nothing() -> None:
    assert Client().post("/sample/")["Location"].startswith("/sign-in/")
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(make_user(is_superuser=True))
    assert strict.post("/sample/").status_code == 403
    assert not Project.objects.exists()


def test_looking_at_the_address_loads_nothing(client: Client) -> None:
    client.force_login(make_user(is_superuser=True))
    assert client.get("/sample/").status_code == 405
    assert not Project.objects.exists()


@pytest.mark.usefixtures("fresh_home")
def test_two_processes_that_load_it_at_once_get_one_project() -> None:
    command = [sys.executable, "manage.py", "sample"]
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=60)[0].strip() for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert said[0] == said[1] and said[0].endswith("/projects/sample/")
    counted = manage("shell", "-v0", "-c", "from tasks.models import Project; print(Project.objects.count())")
    assert counted.stdout.strip() == "1"
