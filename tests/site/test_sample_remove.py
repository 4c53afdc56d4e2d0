"""Removing the sample project: everything in it, and nothing else."""

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
from orchestrator_site.sample.load import load_sample, remove_sample, sample_project
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
    """Another project, which must not change."""
    project = make_project("shop")
    task = make_task(project, parent=make_plan(project, 0), title="Weigh the parcels")
    make_event(task)
    make_artifact(task, "Of the person", paths=["src/own.py"])
    return project


def _rows() -> dict[str, int]:
    return {model._meta.label: model._base_manager.count() for model in apps.get_models() if model is not Content}


def test_no_row_remains_except_content_for_the_sweep(own: Project) -> None:
    before = _rows()
    load_sample(actor=OWNER)
    stored = Content.objects.count()
    assert remove_sample(actor=OWNER)
    assert _rows() == before
    assert unnamed_rows().count() == stored - 1


def test_search_finds_only_other_projects_afterwards(own: Project) -> None:
    load_sample(actor=OWNER)
    reindex()
    assert search("payment provider", project=None).hits
    remove_sample(actor=OWNER)
    assert not search("payment provider", project=None).hits
    assert search("parcels", project=None).hits


def test_tasks_added_by_people_are_removed_too(own: Project) -> None:
    sample = load_sample(actor=OWNER)
    make_artifact(make_task(sample, parent=make_plan(sample, 2)), "one", "two", paths=["src/added.py"])
    assert remove_sample(actor=OWNER)
    assert list(Project.objects.all()) == [own]


def test_it_can_be_loaded_again(own: Project) -> None:
    load_sample(actor=OWNER)
    remove_sample(actor=OWNER)
    assert load_sample(actor=OWNER) == sample_project()


def test_removing_it_when_not_loaded_changes_nothing(own: Project) -> None:
    assert not remove_sample(actor=OWNER)
    assert Project.objects.get() == own


def test_a_sample_loaded_after_the_confirmation_page_is_kept(client: Client) -> None:
    client.force_login(make_user(is_superuser=True))
    load_sample(actor=OWNER)
    asked = sent(html_of(client.get("/sample/remove/")), '<form class="body fields"')
    remove_sample(actor=OWNER)
    newer = load_sample(actor=OWNER)
    assert asked["seen"] != str(newer.pk)
    client.post("/sample/remove/", asked)
    assert sample_project() == newer


def test_only_an_owner_may_remove_it() -> None:
    sample = load_sample(actor=OWNER)
    with pytest.raises(Forbidden):
        remove_sample(actor=Actor(kind="person", name="eve", scopes=frozenset({Scope.WRITE, Scope.REVIEW})))
    assert sample_project() == sample


def test_the_page_asks_for_confirmation_with_counts(client: Client, own: Project) -> None:
    client.force_login(make_user(is_superuser=True))
    sample = load_sample(actor=OWNER)
    settings = html_of(client.get(f"/projects/{sample.slug}/settings/"))
    assert 'href="/sample/remove/"' in settings and 'href="/sample/remove/"' in html_of(client.get("/"))
    assert 'href="/sample/remove/"' not in html_of(client.get("/projects/shop/settings/"))
    page = html_of(client.get("/sample/remove/"))
    assert f"{Task.objects.filter(project=sample).count()} tasks" in page
    assert sample_project() == sample
    gone = client.post("/sample/remove/", sent(page, '<form class="body fields"'), follow=True)
    assert gone.redirect_chain == [("/", 302)]
    assert sample_project() is None
    assert 'class="danger"' not in html_of(client.get("/sample/remove/"))
    assert client.post("/sample/remove/", follow=True).redirect_chain == [("/", 302)]


@pytest.mark.parametrize("facts", [{}, {"is_staff": True}])
def test_others_see_no_link_and_may_not_post(client: Client, facts: dict[str, bool]) -> None:
    load_sample(actor=OWNER)
    assert "/sample/remove/" not in html_of(signed_in(client, **facts).get("/"))
    assert client.post("/sample/remove/").status_code == 403
    assert sample_project()


@pytest.mark.usefixtures("fresh_home")
def test_of_two_processes_removing_concurrently_one_succeeds_and_neither_fails() -> None:
    assert manage("sample").returncode == 0
    command = [sys.executable, "manage.py", "sample", "--remove"]
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = sorted(process.communicate(timeout=60)[0].strip() for process in running)
    assert [process.returncode for process in running] == [0, 0]
    assert len(set(printed)) == 2
