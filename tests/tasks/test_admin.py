"""Django admin: every model is there, and what services own cannot be changed."""

from __future__ import annotations

import json
import re

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from artifacts.models import Artifact, ArtifactPath, ArtifactVersion, Content
from tasks.choices import NoteKind, Status
from tasks.models import Dependency, Event, IdempotencyKey, Note, Project, ProjectPath, Session, Specialist, Task
from tests.factories import (
    html_of,
    make_artifact,
    make_dependency,
    make_event,
    make_plan,
    make_project,
    make_session,
    make_task,
    signed_in,
)

OWNED = [
    ProjectPath,
    Session,
    Task,
    Dependency,
    Event,
    IdempotencyKey,
    Artifact,
    ArtifactVersion,
    ArtifactPath,
    Content,
]
ALL = [*OWNED, Project, Specialist]
admin.autodiscover()  # as the URLs do, which some tests here do not ask for

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client: Client) -> Client:
    return signed_in(client, is_staff=True, is_superuser=True)


@pytest.fixture
def rows() -> dict[type[Model], Model]:
    """One row of each model, with links between them."""
    project = make_project("ledger", name="The ledger")
    session = make_session(project)
    first, second = make_plan(project, 2, statuses=[Status.BLOCKED], title="The plan").children.all()
    artifact = make_artifact(first, "the secret bytes of this work", paths=["docs/a.md"])
    return {
        Project: project,
        ProjectPath: ProjectPath.objects.create(project=project, path="/mnt/ledger"),
        Session: session,
        Task: first,
        Dependency: make_dependency(second, first),
        Event: make_event(first, session=session),
        Note: Note.objects.create(task=first, actor_name="ada", kind=NoteKind.DECISION, text="Use a queue"),
        Specialist: Specialist.objects.create(name="poet", role_definition="Writes."),
        IdempotencyKey: IdempotencyKey.objects.create(project=project, operation="plan", key="k1"),
        Artifact: artifact,
        ArtifactVersion: artifact.versions.get(),
        ArtifactPath: artifact.paths.get(),
        Content: Content.objects.get(),
    }


def _address(model: type[Model], page: str, *arguments: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=arguments)


def test_every_model_is_registered_but_the_queue_secrets_and_what_django_keeps_for_itself() -> None:
    """What waits in the queue is pickled code, and the keys of sign-ins open the site."""
    left_out = {"auth.Permission", "contenttypes.ContentType", "sessions.Session"}
    queue = {"django_q.Task", "django_q.Success", "django_q.Failure", "django_q.OrmQ"}
    missing = {model._meta.label for model in apps.get_models() if not admin.site.is_registered(model)}
    assert missing == left_out | queue


def test_every_list_of_ours_can_be_searched_or_is_short_and_counts_no_whole_table() -> None:
    ours = [model for app in ("tasks", "artifacts") for model in apps.get_app_config(app).get_models()]
    for model in ours:
        page = admin.site.get_model_admin(model)
        assert page.search_fields or page.list_display == ("owner",), model
        assert page.show_full_result_count is False or model is Specialist, model


def test_someone_who_is_not_staff_has_no_admin(client: Client) -> None:
    assert signed_in(client).get("/admin/").status_code == 302
    assert "/admin/" not in html_of(client.get("/"))


def test_staff_find_the_admin_in_the_head_of_every_page(staff: Client) -> None:
    assert 'href="/admin/"' in html_of(staff.get("/"))


@pytest.mark.parametrize("model", ALL)
def test_every_list_and_every_row_opens(staff: Client, rows: dict[type[Model], Model], model: type[Model]) -> None:
    assert "paginator" in html_of(staff.get(_address(model, "changelist")))
    row = rows[model]
    page = html_of(staff.get(_address(model, "change", row.pk)))
    assert "the secret bytes" not in page


@pytest.mark.parametrize("model", ALL)
def test_every_list_can_be_searched(staff: Client, rows: dict[type[Model], Model], model: type[Model]) -> None:
    assert html_of(staff.get(_address(model, "changelist"), {"q": "nothing-like-it"})).count("0 results") == 1


@pytest.mark.parametrize("model", OWNED)
def test_what_services_own_cannot_be_added_changed_or_deleted(
    staff: Client, rows: dict[type[Model], Model], model: type[Model]
) -> None:
    row = rows[model]
    assert staff.get(_address(model, "add")).status_code == 403
    assert staff.post(_address(model, "change", row.pk), {}).status_code == 403
    assert staff.post(_address(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    deletion = {"action": "delete_selected", "_selected_action": row.pk, "post": "yes"}
    staff.post(_address(model, "changelist"), deletion)
    assert model._default_manager.filter(pk=row.pk).exists()


def test_every_link_of_a_task_leads_to_its_own_rows(staff: Client, rows: dict[type[Model], Model]) -> None:
    other = make_task(make_project("other"), title="Elsewhere")
    make_event(other)
    make_artifact(other)
    key = rows[Task].pk
    links = {
        (Artifact, f"task__id__exact={key}"): 1,
        (Event, f"task__id__exact={key}"): 1,
        (Dependency, f"depends_on__id__exact={key}"): 1,
        (Dependency, f"task__id__exact={key}"): 0,
        (Task, f"parent__id__exact={rows[Task].parent_id}"): 2,
    }
    for (model, query), number in links.items():
        page = html_of(staff.get(f"{_address(model, 'changelist')}?{query}"))
        assert page.count('<th class="field-') == number, (model, query)
    assert f"task__id__exact={key}" in html_of(staff.get(_address(Task, "change", key)))


def test_a_task_and_its_artifact_lead_to_their_pages(staff: Client, rows: dict[type[Model], Model]) -> None:
    task, artifact = rows[Task], rows[Artifact]
    assert f"/tasks/{task.public_id}/" in html_of(staff.get(_address(Task, "change", task.pk)))
    page = html_of(staff.get(_address(Artifact, "change", artifact.pk)))
    assert f"/artifacts/{artifact.public_id}/" in page
    assert _address(Task, "change", task.pk) in page


def test_a_project_takes_another_name_and_settings_and_nothing_else(
    staff: Client, rows: dict[type[Model], Model]
) -> None:
    address = _address(Project, "change", rows[Project].pk)
    sent = {"name": "Renamed", "settings": '{"lease_minutes": 10}', "slug": "hijacked", "root_path": "/etc"}
    assert staff.post(address, sent).status_code == 302
    project = Project.objects.get(pk=rows[Project].pk)
    assert (project.name, project.settings, project.slug, project.root_path) == (
        "Renamed",
        {"lease_minutes": 10},
        "ledger",
        "",
    )
    assert staff.get(_address(Project, "add")).status_code == 403
    assert staff.post(_address(Project, "delete", project.pk), {"post": "yes"}).status_code == 403


def test_settings_that_are_no_object_are_refused(staff: Client, rows: dict[type[Model], Model]) -> None:
    address = _address(Project, "change", rows[Project].pk)
    assert 'class="errorlist' in html_of(staff.post(address, {"name": "x", "settings": "[1]"}))


def test_a_specialist_can_be_added_and_changed_and_deleted(staff: Client, rows: dict[type[Model], Model]) -> None:
    role = {"name": "critic", "role_definition": "Finds fault.", "expertise": '["taste"]', "approach": "[]"}
    assert staff.post(_address(Specialist, "add"), role).status_code == 302
    critic = Specialist.objects.get(name="critic")
    assert critic.expertise == ["taste"]
    changed = {**role, "role_definition": "Praises.", "project": rows[Project].pk}
    assert staff.post(_address(Specialist, "change", critic.pk), changed).status_code == 302
    again = Specialist.objects.get(pk=critic.pk)
    assert (again.role_definition, again.project_id) == ("Praises.", rows[Project].pk)
    assert again.updated_at > critic.updated_at
    assert staff.post(_address(Specialist, "delete", critic.pk), {"post": "yes"}).status_code == 302


@pytest.mark.parametrize("expertise", [{"a": 1}, [1], [""], "text"])
def test_a_role_whose_lists_are_no_lists_of_texts_is_refused(staff: Client, expertise: object) -> None:
    role = {"name": "critic", "role_definition": "Finds fault.", "expertise": json.dumps(expertise), "approach": "[]"}
    assert 'class="errorlist' in html_of(staff.post(_address(Specialist, "add"), role))


def test_two_roles_of_one_name_for_the_whole_site_are_refused(staff: Client, rows: dict[type[Model], Model]) -> None:
    role = {"name": "poet", "role_definition": "Again.", "expertise": "[]", "approach": "[]"}
    assert "specialist_once_per_site" in html_of(staff.post(_address(Specialist, "add"), role))


@pytest.mark.parametrize("sheet", ["admin.css", "api-docs.css"])
def test_the_admin_and_the_api_page_have_the_colors_of_the_site(sheet: str) -> None:
    sheets = settings.BASE_DIR / "orchestrator_site" / "web" / "static" / "orchestrator"
    tokens = set(re.findall(r"(--[\w-]+):", (sheets / "tokens.css").read_text()))
    theirs = (sheets / sheet).read_text()
    assert not re.search(r"#[0-9a-f]{6}", theirs)
    assert set(re.findall(r"var\((--[\w-]+)\)", theirs)) <= tokens | set(re.findall(r"(--[\w-]+):", theirs))
