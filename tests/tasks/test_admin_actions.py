"""What the admin does to many rows at once: only what the person's scopes allow, each row through its service."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from artifacts.models import Artifact, Content
from orchestrator_site.web import admin
from tasks.choices import Status, Verb
from tasks.models import Event, Project, Session, Specialist, Task, ToolUse
from tests.factories import (
    html_of,
    make_artifact,
    make_plan,
    make_project,
    make_session,
    make_task,
    make_user,
    signed_in,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(client: Client) -> Client:
    return signed_in(client, is_staff=True, is_superuser=True)


def _reviewer(client: Client, *permissions: str, **fields: bool) -> Client:
    """Someone on the staff whom Django lets see and change everything of some models."""
    user = make_user("eve", is_staff=True, **fields)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(user)
    return client


def _list(model: type[Model]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def _act(client: Client, action: str, *rows: Model, **more: str) -> str:
    sent: dict[str, Any] = {"action": action, "_selected_action": [row.pk for row in rows], **more}
    return html_of(client.post(_list(type(rows[0])), sent, follow=True))


@pytest.mark.parametrize(
    ("action", "before", "after"),
    [
        ("approve_tasks", Status.IN_REVIEW, Status.COMPLETED),
        ("unblock_tasks", Status.BLOCKED, Status.PENDING),
        ("retry_tasks", Status.FAILED, Status.PENDING),
        ("release_tasks", Status.ACTIVE, Status.PENDING),
    ],
)
def test_an_action_asks_for_each_task_and_says_rejections_one_by_one(
    owner: Client, action: str, before: Status, after: Status
) -> None:
    project = make_project("ledger")
    first, second = make_task(project, status=before), make_task(project, status=before)
    other = make_task(project, status=Status.CANCELLED, title="Dropped")
    page = _act(owner, action, first, other, second)
    verb = Verb(action.removesuffix("_tasks"))
    assert page.count('<li class="success">') == page.count('<li class="error">') == 1
    assert other.public_id in page.partition('<li class="error">')[2].partition("</li>")[0]
    assert {task.status for task in Task.objects.filter(pk__in=[first.pk, second.pk])} == {after}
    assert list(Event.objects.filter(verb=verb).values_list("actor_kind", "actor_name")) == [("person", "ada")] * 2


def test_cancelling_asks_first_and_takes_a_reason(owner: Client) -> None:
    plan = make_plan(make_project("ledger"), 2, title="<b>The plan</b>")
    asked = _act(owner, "cancel_tasks", plan)
    assert "&lt;b&gt;The plan" in asked and f'name="seen-{plan.pk}" value="pending:0"' in asked
    assert not Task.objects.filter(status=Status.CANCELLED).exists()
    _act(owner, "cancel_tasks", plan, confirmed="yes", reason="No longer wanted", **{f"seen-{plan.pk}": "pending:0"})
    assert set(Task.objects.values_list("status", flat=True)) == {Status.CANCELLED}
    assert Task.objects.get(pk=plan.pk).reason == "No longer wanted"


def test_what_was_cancelled_is_reopened(owner: Client) -> None:
    plan = make_plan(make_project("ledger"), 2)
    _act(owner, "cancel_tasks", plan, confirmed="yes", reason="By mistake", **{f"seen-{plan.pk}": "pending:0"})
    page = _act(owner, "reopen_tasks", plan)
    assert page.count('<li class="success">') == 1
    assert set(Task.objects.values_list("status", "reason")) == {(Status.PENDING, "")}
    assert '<li class="error">' in _act(owner, "reopen_tasks", plan)


def test_a_task_that_moved_since_it_was_shown_is_not_cancelled(owner: Client) -> None:
    task = make_task(make_project("ledger"), status=Status.ACTIVE)
    page = _act(owner, "cancel_tasks", task, confirmed="yes", **{f"seen-{task.pk}": "pending:0"})
    assert '<li class="error">' in page
    assert Task.objects.get().status == Status.ACTIVE


def test_too_many_rows_change_nothing(owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin, "MOST", 2)
    plan = make_plan(make_project("ledger"), 3, statuses=[Status.BLOCKED])
    page = _act(owner, "unblock_tasks", *plan.children.all())
    assert '<li class="error">' in page
    assert plan.children.filter(status=Status.BLOCKED).count() == 3


def test_an_owner_ends_sessions(owner: Client) -> None:
    project = make_project("ledger")
    running, ended = make_session(project), make_session(project, ended_at=timezone.now())
    assert "1 ended." in _act(owner, "end_sessions", running, ended)
    assert Session.objects.filter(ended_at=None).count() == 0
    assert Event.objects.get(verb=Verb.END_SESSION).actor_name == "ada"


def test_a_reviewer_may_review_and_steer_but_not_end_sessions(client: Client) -> None:
    _reviewer(client, "view_task", "view_session")
    project = make_project("ledger")
    session, task = make_session(project), make_task(project, status=Status.IN_REVIEW)
    _act(client, "approve_tasks", task)
    assert Task.objects.get().status == Status.COMPLETED
    assert "end_sessions" not in html_of(client.get(_list(Session)))
    _act(client, "end_sessions", session)
    assert Session.objects.filter(ended_at=None).count() == 1


def test_a_reviewer_changes_no_project_and_no_role_whatever_django_allows(client: Client) -> None:
    allowed = [
        f"{action}_{model}" for action in ("view", "add", "change", "delete") for model in ("project", "specialist")
    ]
    _reviewer(client, *allowed)
    project = make_project("ledger")
    role = Specialist.objects.create(name="poet", role_definition="Writes.")
    sent = {"name": "Renamed", "settings": "{}", "role_definition": "Lies.", "expertise": "[]", "approach": "[]"}
    for row in (project, role):
        address = reverse(f"admin:tasks_{row._meta.model_name}_change", args=[row.pk])
        assert client.get(address).status_code == 200
        assert client.post(address, sent).status_code == 403
    assert client.post(reverse("admin:tasks_specialist_delete", args=[role.pk]), {"post": "yes"}).status_code == 403
    assert client.post(reverse("admin:tasks_specialist_add"), {**sent, "name": "new"}).status_code == 403
    assert (Project.objects.get().name, Specialist.objects.get().role_definition) == ("Ledger", "Writes.")


def test_verifying_says_which_version_is_damaged(owner: Client) -> None:
    project = make_project("ledger")
    good, bad = (make_artifact(make_task(project), f"work {number}") for number in range(2))
    assert '<li class="error">' not in _act(owner, "verify", good, bad)
    Content.objects.filter(versions__artifact=bad).update(data=b"rotten")
    page = _act(owner, "verify", good, bad)
    error = page.partition('<li class="error">')[2].partition("</li>")[0]
    assert bad.public_id in error and good.public_id not in error
    assert Artifact.objects.count() == 2


def test_tool_use_is_listed_for_a_session(owner: Client) -> None:
    now = timezone.now()
    session, other = make_session(make_project("one")), make_session(make_project("two"))
    for each in (session, other):
        ToolUse.objects.create(session=each, tool="orchestrator_plan_task", calls=3, first_at=now, last_at=now)
    page = html_of(owner.get(f"{_list(ToolUse)}?session__id__exact={session.pk}"))
    assert page.count('<th class="field-') == 1


@pytest.mark.parametrize(("theme", "dark"), [("", True), ("dark", True), ("light", False)])
def test_the_admin_wears_the_chosen_colours(owner: Client, theme: str, dark: bool) -> None:
    owner.cookies["theme"] = theme
    page = html_of(owner.get("/admin/"))
    assert ("admin/css/dark_mode" in page) == dark
    assert ('data-theme="dark"' in page) == (theme == "dark")
    assert "theme-toggle" not in page
