"""The page of a task's order: its priority, when it may start, and for whom it is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from tasks.choices import Priority, Status
from tasks.identity.actor import Actor
from tasks.models import Event, Project, Task
from tasks.services import order
from tests.factories import html_of, make_plan, make_project, make_task, make_user, note_of, sent

pytestmark = pytest.mark.django_db
ADA = Actor(kind="person", name="ada")
FORM = '<form class="body fields"'
FIELDS = {"priority": "4", "until": "2099-05-04T10:00", "client": "Codex", "model": "gpt"}


@pytest.fixture
def task(client: Client) -> Task:
    client.force_login(make_user(is_staff=True))
    return make_task(make_project("shop"), parent=make_plan(make_project("other"), 0), is_ready=True)


@pytest.fixture
def group(client: Client, task: Task) -> Task:
    """A group with two tasks that are unlike each other."""
    group = make_task(task.project, is_leaf=False)
    make_task(task.project, parent=group, priority=Priority.HIGH, for_client="codex")
    make_task(task.project, parent=group, for_client="codex")
    return group


def opened(web: Client, task: Task) -> dict[str, Any]:
    """Open the form, and return what a browser sends of it."""
    return sent(html_of(web.get(f"/tasks/{task.public_id}/order/")), FORM)


def send(web: Client, task: Task, form: dict[str, Any], **fields: str) -> Any:
    return web.post(f"/tasks/{task.public_id}/order/", {**form, **fields})


def save(web: Client, task: Task, **fields: str) -> Task:
    """Save what must be possible, and return the task as it is then."""
    answer = send(web, task, opened(web, task), **fields)
    assert (answer.status_code, answer["Location"]) == (302, f"/tasks/{task.public_id}/")
    return Task.objects.get(pk=task.pk)


def verbs_of(task: Task) -> list[str]:
    return list(Event.objects.filter(task=task, actor_kind="person").order_by("pk").values_list("verb", flat=True))


def with_errors(page: str) -> list[str]:
    return [name for name in FIELDS if f'id="{name}-errors"' in page]


def test_all_fields_are_saved_at_once(client: Client, task: Task) -> None:
    changed = save(client, task, **FIELDS)
    assert (changed.priority_word, changed.for_client, changed.for_model) == ("urgent", "codex", "gpt")
    assert changed.not_before is not None and not changed.is_ready
    assert verbs_of(task) == ["defer", "boost", "assign"]


@pytest.mark.parametrize(("name", "verb"), [("priority", "boost"), ("until", "defer"), ("model", "assign")])
def test_what_was_not_touched_is_not_changed(client: Client, task: Task, name: str, verb: str) -> None:
    save(client, task, **{name: FIELDS[name]})
    assert verbs_of(task) == [verb]
    save(client, task)
    assert verbs_of(task) == [verb]


def test_a_time_is_one_of_the_projects_zone_and_is_shown_again(client: Client, task: Task) -> None:
    Project.objects.update(settings={"time_zone": "Asia/Tokyo"})
    changed = save(client, task, until=FIELDS["until"])
    assert changed.not_before is not None and changed.not_before.isoformat() == "2099-05-04T01:00:00+00:00"
    assert opened(client, task)["until"] == ["2099-05-04T10:00"]


def test_empty_fields_take_a_deferral_and_wishes_back(client: Client, task: Task) -> None:
    save(client, task, **FIELDS)
    assert 'id="wished-for"' in html_of(client.get(f"/tasks/{task.public_id}/"))
    changed = save(client, task, until="", client="", model="")
    assert changed.not_before is None and changed.is_ready
    assert (changed.for_client, changed.for_model, changed.priority_word) == ("", "", "urgent")


@pytest.mark.parametrize(
    "fields",
    [
        {"priority": "9"}, {"priority": ""}, {"until": "soon"}, {"until": "2000-01-01T10:00"}, {"client": "x" * 201},
        {"model": "a\tb"}, {"until": "2000-01-01T10:00", "client": "x" * 201},
    ],
)  # fmt: skip
def test_a_wrong_field_comes_back_with_what_is_wrong_beside_it(
    client: Client, task: Task, fields: dict[str, str]
) -> None:
    answer = send(client, task, opened(client, task), **fields)
    page = answer.content.decode()
    assert answer.status_code == 400 and note_of(page, "invalid")
    assert with_errors(page) == [*fields] and page.count('aria-invalid="true"') == len(fields)
    assert all(f'value="{typed}"' in page for name, typed in fields.items() if name != "priority")
    assert not Event.objects.filter(task=task).exists()


def test_what_someone_else_changed_is_not_overwritten_unnoticed(client: Client, task: Task) -> None:
    form = opened(client, task)
    order.assign(task=task, actor=ADA, client="cursor")
    answer = send(client, task, form, client="codex", priority="4")
    page = answer.content.decode()
    assert answer.status_code == 409 and note_of(page, "conflict")
    assert with_errors(page) == ["client"]
    task.refresh_from_db()
    assert (task.for_client, task.priority) == ("cursor", Priority.NORMAL)
    assert send(client, task, sent(page, FORM)).status_code == 302
    task.refresh_from_db()
    assert (task.for_client, task.priority) == ("codex", Priority.URGENT)


def test_what_someone_else_changed_stays_where_it_was_not_touched(client: Client, task: Task) -> None:
    form = opened(client, task)
    order.assign(task=task, actor=ADA, client="cursor")
    assert send(client, task, form, priority="4").status_code == 302
    task.refresh_from_db()
    assert (task.for_client, task.priority) == ("cursor", Priority.URGENT)


def test_of_a_group_the_form_shows_what_all_below_have_in_common(client: Client, group: Task) -> None:
    form = opened(client, group)
    assert (form["priority"], form["client"], form["model"]) == ([""], ["codex"], [""])
    assert "2 unfinished tasks" in html_of(client.get(f"/tasks/{group.public_id}/order/"))


def test_of_a_group_the_tasks_below_change_and_are_counted(client: Client, group: Task) -> None:
    answer = client.post(f"/tasks/{group.public_id}/order/", {**opened(client, group), "priority": "3"}, follow=True)
    assert "1 task" in note_of(html_of(answer), "order")
    assert {*Task.objects.filter(parent=group).values_list("priority", "for_client")} == {(Priority.HIGH, "codex")}
    assert opened(client, group)["priority"] == ["3"]


def test_a_group_of_very_many_tasks_says_so(client: Client, group: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order, "AT_ONCE_LIMIT", 1)
    answer = send(client, group, opened(client, group), priority="1")
    assert answer.status_code == 413 and note_of(answer.content.decode(), "too_large")


def test_a_task_that_cannot_be_handed_out_says_that_a_deferral_counts_later(client: Client, task: Task) -> None:
    held = make_task(task.project, status=Status.BLOCKED)
    pages = [html_of(client.get(f"/tasks/{each.public_id}/order/")) for each in (task, held)]
    assert ['id="starts-later"' in page for page in pages] == [False, True]


def test_a_time_after_the_due_date_is_pointed_out(client: Client, task: Task) -> None:
    address, due = f"/tasks/{task.public_id}/order/", timezone.now() + timedelta(days=2)
    assert 'id="is-due"' not in html_of(client.get(address))
    Task.objects.filter(pk=task.pk).update(due_at=due)
    page = html_of(client.get(address))
    assert 'id="is-due"' in page and 'class="overdue"' not in page
    order.defer(task=task, actor=ADA, until=due + timedelta(days=1))
    assert 'class="overdue"' in html_of(client.get(address))


def test_a_reader_orders_nothing(task: Task) -> None:
    client = Client()
    client.force_login(make_user("rita"))
    address = f"/tasks/{task.public_id}/order/"
    assert client.get(address).status_code == 403
    assert client.post(address, FIELDS).status_code == 403
    assert address not in html_of(client.get(f"/tasks/{task.public_id}/"))


def test_a_finished_task_has_no_order(client: Client, task: Task) -> None:
    done = make_task(task.project, status=Status.COMPLETED)
    address = f"/tasks/{done.public_id}/order/"
    assert 'id="not-possible"' in html_of(client.get(address))
    assert client.post(address, FIELDS).status_code == 409
    assert address not in html_of(client.get(f"/tasks/{done.public_id}/"))


def test_whoever_may_edit_finds_it_on_the_task(client: Client, task: Task) -> None:
    assert f"/tasks/{task.public_id}/order/" in html_of(client.get(f"/tasks/{task.public_id}/"))
