"""The sample project goes as easily as it came: with all that is in it, and with nothing else."""

from __future__ import annotations

import subprocess
import sys

import pytest
from django.apps import apps
from django.test import Client

from artifacts.models import Content
from artifacts.search.index import reindex
from artifacts.search.service import search
from artifacts.services.sweep import unnamed_rows
from orchestrator_site.kernel.errors import Forbidden
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.sample.load import load_sample, sample_project
from orchestrator_site.sample.remove import remove_sample
from tasks.identity.actor import Actor
from tasks.models import Project, Task
from tests.factories import (
    html_of,
    make_artifact,
    make_event,
    make_plan,
    make_project,
    make_task,
    make_user,
    sent,
    signed_in,
)
from tests.site.processes import ROOT, manage

pytestmark = pytest.mark.django_db
OWNER = Actor(kind="person", name="ada")


@pytest.fixture
def own() -> Project:
    """A project of the person, which has to stay as it is."""
    project = make_project("shop")
    task = make_task(project, parent=make_plan(project, 0), title="Weigh the parcels")
    make_event(task)
    make_artifact(task, "Of the person", paths=["src/own.py"])
    return project


def _rows() -> dict[str, int]:
    return {model._meta.label: model._base_manager.count() for model in apps.get_models() if model is not Content}


def test_no_row_is_left_but_the_bytes_that_the_sweep_removes(own: Project) -> None:
    before = _rows()
    load_sample(actor=OWNER)
    stored = Content.objects.count()
    assert remove_sample(actor=OWNER)
    assert _rows() == before
    assert unnamed_rows().count() == stored - 1


def test_its_words_are_found_no_longer_and_those_of_others_are(own: Project) -> None:
    load_sample(actor=OWNER)
    reindex()
    assert search("payment provider", project=None).hits
    remove_sample(actor=OWNER)
    assert not search("payment provider", project=None).hits
    assert search("parcels", project=None).hits


def test_what_a_person_added_to_it_goes_along(own: Project) -> None:
    sample = load_sample(actor=OWNER)
    make_artifact(make_task(sample, parent=make_plan(sample, 2)), "one", "two", paths=["src/added.py"])
    assert remove_sample(actor=OWNER)
    assert list(Project.objects.all()) == [own]


def test_it_can_be_loaded_again(own: Project) -> None:
    load_sample(actor=OWNER)
    remove_sample(actor=OWNER)
    assert load_sample(actor=OWNER) == sample_project()


def test_where_it_is_not_nothing_goes(own: Project) -> None:
    assert not remove_sample(actor=OWNER)
    assert Project.objects.get() == own


def test_one_that_was_loaded_since_the_person_was_asked_stays(client: Client) -> None:
    client.force_login(make_user(is_superuser=True))
    load_sample(actor=OWNER)
    asked = sent(html_of(client.get("/sample/remove/")), '<form class="body fields"')
    remove_sample(actor=OWNER)
    newer = load_sample(actor=OWNER)
    assert asked["seen"] != str(newer.pk)
    assert "gone already" in html_of(client.post("/sample/remove/", asked, follow=True))
    assert sample_project() == newer


def test_nobody_but_an_owner_removes_it() -> None:
    sample = load_sample(actor=OWNER)
    with pytest.raises(Forbidden):
        remove_sample(actor=Actor(kind="person", name="eve", scopes=frozenset({Scope.WRITE, Scope.REVIEW})))
    assert sample_project() == sample


def test_a_person_is_asked_first_and_told_what_goes(client: Client, own: Project) -> None:
    client.force_login(make_user(is_superuser=True))
    sample = load_sample(actor=OWNER)
    settings = html_of(client.get(f"/projects/{sample.slug}/settings/"))
    assert 'href="/sample/remove/"' in settings and 'href="/sample/remove/"' in html_of(client.get("/"))
    assert 'href="/sample/remove/"' not in html_of(client.get("/projects/shop/settings/"))
    page = html_of(client.get("/sample/remove/"))
    assert f"{Task.objects.filter(project=sample).count()} tasks" in page and "cannot be undone" in page
    assert sample_project() == sample
    gone = client.post("/sample/remove/", sent(page, '<form class="body fields"'), follow=True)
    assert gone.redirect_chain == [("/", 302)]
    assert "The sample project is gone." in html_of(gone)
    assert "It is not here." in html_of(client.get("/sample/remove/"))
    assert "gone already" in html_of(client.post("/sample/remove/", follow=True))


@pytest.mark.parametrize("facts", [{}, {"is_staff": True}])
def test_others_are_not_offered_it_and_are_refused(client: Client, facts: dict[str, bool]) -> None:
    load_sample(actor=OWNER)
    assert "/sample/remove/" not in html_of(signed_in(client, **facts).get("/"))
    assert client.post("/sample/remove/").status_code == 403
    assert sample_project()


@pytest.mark.usefixtures("fresh_home")
def test_of_two_processes_that_remove_it_at_once_one_does_and_neither_fails() -> None:
    assert manage("sample").returncode == 0
    command = [sys.executable, "manage.py", "sample", "--remove"]
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = sorted(process.communicate(timeout=60)[0].strip() for process in running)
    assert [process.returncode for process in running] == [0, 0]
    assert said == ["The sample project is gone.", "The sample project is not here."]
