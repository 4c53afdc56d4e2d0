"""The sample project: complete, plausible in its times, and loaded only once."""

from __future__ import annotations

import subprocess
import sys

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from artifacts.models import Artifact
from orchestrator_site.kernel.errors import Conflict, Forbidden
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.sample.load import NAME, SLUGS, load_sample, sample_project
from tasks.identity.actor import Actor
from tasks.models import Event, Project, Task
from tests.factories import html_of, make_project, make_user, signed_in
from tests.site.processes import ROOT, manage

pytestmark = pytest.mark.django_db
OWNER = Actor(kind="person", name="ada")
QUERIES_LIMIT = 900  # one click loads it, in about a second


@pytest.fixture
def project() -> Project:
    return load_sample(actor=OWNER)


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
