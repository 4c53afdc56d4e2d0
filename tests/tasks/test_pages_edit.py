"""The form that edits a task, `/tasks/<public_id>/edit/`."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tasks import roles
from tasks.choices import Complexity, Priority, Status, Verb
from tasks.identity.actor import Actor
from tasks.models import Event, Project, Task
from tasks.services import edit as service
from tests.factories import (
    fields_with_errors,
    html_of,
    make_dependency,
    make_plan,
    make_project,
    make_task,
    make_user,
    note_of,
    sent,
)

pytestmark = pytest.mark.django_db
EVIL = "</textarea><script>alert(1)</script>\u202e"


@pytest.fixture
def project(client: Client) -> Project:
    client.force_login(make_user(is_staff=True))
    return make_project("ledger")


@pytest.fixture
def task(project: Project) -> Task:
    return make_task(
        project,
        parent=make_plan(project, 0),
        title="Count it",
        description="\nFirst line\nSecond line",
        specialist="tester",
    )


def edited(client: Client, task: Task, **typed: Any) -> Any:
    """Open the form, type, and save."""
    return client.post(_of(task), sent(html_of(client.get(_of(task)))) | typed)


def _of(task: Task) -> str:
    return f"/tasks/{task.public_id}/edit/"


def _changed_elsewhere(task: Task, **columns: Any) -> None:
    service.edit(
        task=task,
        actor=Actor(kind="person", name="grace"),
        changes=service.Changes(columns),
        catalogue=roles.catalogue(task.project),
    )


def test_an_untouched_form_changes_nothing_not_even_a_line_end(client: Client, task: Task) -> None:
    Task.objects.filter(pk=task.pk).update(context="With\r\nwindows ends", effort="2 h")
    before = Task.objects.filter(pk=task.pk).values().get()
    assert edited(client, task)["Location"] == f"/tasks/{task.public_id}/"
    assert Task.objects.filter(pk=task.pk).values().get() == before
    assert not Event.objects.exists()


def test_every_field_is_saved_at_once_with_one_event_that_says_before_and_after(client: Client, task: Task) -> None:
    typed = {
        "title": "Weigh it",
        "description": "One\r\nTwo\r\n",
        "context": "The scales are new",
        "specialist": "architect",
        "priority": str(Priority.URGENT),
        "complexity": Complexity.VERY_COMPLEX,
        "effort": "2 hours",
        "requires_review": "on",
    }
    edited(client, task, **typed)
    saved = Task.objects.get(pk=task.pk)
    assert (saved.title, saved.description, saved.context) == ("Weigh it", "One\nTwo\n", "The scales are new")
    assert (saved.specialist, saved.priority, saved.complexity) == ("architect", Priority.URGENT, "very_complex")
    assert (saved.effort, saved.requires_review) == ("2 hours", True)
    (event,) = Event.objects.filter(task=task, verb=Verb.EDIT)
    assert (event.actor_kind, event.actor_name) == ("person", "ada")
    assert event.before["title"] == "Count it" and event.after["priority"] == Priority.URGENT


def test_a_review_that_the_project_asks_for_is_shown_and_can_be_left_out(client: Client, task: Task) -> None:
    Project.objects.update(settings={"review": True})
    form = sent(html_of(client.get(_of(task))))
    assert form.pop("requires_review") == ["on"]
    client.post(_of(task), form)
    assert Task.objects.get(pk=task.pk).requires_review is False


def test_only_what_was_touched_is_in_the_event(client: Client, task: Task) -> None:
    edited(client, task, title="Weigh it")
    assert Event.objects.get(task=task).after == {"title": "Weigh it"}


@pytest.mark.parametrize(
    ("typed", "place"),
    [
        ({"title": "  "}, "title"),
        ({"title": "x" * 301}, "title"),
        ({"description": "x" * 200_001}, "description"),
        ({"effort": "x" * 201}, "effort"),
        ({"context": "a\x00b"}, "context"),
        ({"specialist": "archtect"}, "specialist"),
        ({"priority": "9"}, "priority"),
        ({"priority": "٣"}, "priority"),
        ({"complexity": "dreadful"}, "complexity"),
        ({"find": "no_such_1"}, "find"),
    ],
)
def test_errors_are_next_to_their_fields_and_input_is_kept(
    client: Client, task: Task, typed: dict[str, str], place: str
) -> None:
    answer = edited(client, task, **{"effort": "kept as typed", **typed})
    page = answer.content.decode()
    assert answer.status_code == 400
    assert fields_with_errors(page) == [place] and note_of(page, "invalid")
    assert "kept as typed" in page or place == "effort"
    assert not Event.objects.filter(task=task).exists()


def test_concurrent_changes_are_not_overwritten(client: Client, task: Task) -> None:
    form = sent(html_of(client.get(_of(task))))
    _changed_elsewhere(task, title="Graces title", context="Graces context")
    answer = client.post(_of(task), form | {"title": "My title", "description": "My words"})
    page = answer.content.decode()
    assert answer.status_code == 409
    assert Task.objects.get(pk=task.pk).title == "Graces title"
    (change,) = re.findall(r'<li data-verb="edit">(.*?)</li>', note_of(page, "conflict"), re.DOTALL)
    assert all(f"<bdi>{part}</bdi>" in change for part in ("grace", "title", "context"))
    assert "Graces title" in page.partition('id="field-title"')[2].partition("<pre")[2].partition("</pre>")[0]
    again = sent(page)
    assert again["title"] == ["My title"] and again["description"] == ["My words"]
    assert again["context"] == ["Graces context"]


def test_saving_again_overwrites_conflicts_and_keeps_other_changes(client: Client, task: Task) -> None:
    form = sent(html_of(client.get(_of(task))))
    _changed_elsewhere(task, title="Graces title", context="Graces context")
    refused = client.post(_of(task), form | {"title": "My title"})
    client.post(_of(task), sent(refused.content.decode()))
    saved = Task.objects.get(pk=task.pk)
    assert (saved.title, saved.context) == ("My title", "Graces context")


def test_input_is_kept_if_the_task_was_finished_since(client: Client, task: Task) -> None:
    form = sent(html_of(client.get(_of(task))))
    Task.objects.filter(pk=task.pk).update(status=Status.CANCELLED)
    answer = client.post(_of(task), form | {"description": "An hour of work"})
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "An hour of work" in page and 'name="save"' not in page


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.CANCELLED])
def test_what_is_finished_is_not_edited(client: Client, project: Project, status: str) -> None:
    page = html_of(client.get(_of(make_task(project, status=status))))
    assert 'id="not-possible"' in page and "<textarea" not in page


def test_dependencies_are_searched_added_and_removed_several_at_once(
    client: Client, project: Project, task: Task
) -> None:
    old, blue, red, other = (make_task(project, title=f"{name} thing") for name in ("Old", "Blue", "Red", "Other"))
    make_dependency(task, old)
    looked = client.post(_of(task), sent(html_of(client.get(_of(task)))) | {"find": "blue, red", "look": "1"})
    found = re.findall(r'name="add" value="([^"]+)"', html_of(looked))
    assert set(found) == {blue.public_id, red.public_id} and other.public_id not in found
    client.post(_of(task), sent(html_of(looked)) | {"find": "", "add": found, "drop": [old.public_id]})
    assert set(task.dependencies.values_list("depends_on__title", flat=True)) == {"Blue thing", "Red thing"}
    (event,) = Event.objects.filter(task=task)
    assert set(event.after["added_dependencies"]) == set(found)
    assert event.after["removed_dependencies"] == [old.public_id]


def test_dependencies_are_added_by_their_ids(client: Client, project: Project, task: Task) -> None:
    needs = [make_task(project) for _ in range(3)]
    edited(client, task, find=f"{needs[0].public_id}, {needs[1].public_id}\n{needs[2].public_id}")
    assert set(task.dependencies.values_list("depends_on", flat=True)) == {need.pk for need in needs}


def test_looking_for_tasks_saves_nothing_and_keeps_what_was_typed(client: Client, task: Task) -> None:
    page = html_of(edited(client, task, title="Not yet", find="thing", look="1"))
    assert "Not yet" in page and Task.objects.get(pk=task.pk).title == "Count it"
    assert 'id="no-candidates"' in page


def test_a_circle_is_refused_beside_the_field(client: Client, project: Project, task: Task) -> None:
    waiting = make_task(project, title="Waits for it")
    make_dependency(waiting, task)
    answer = edited(client, task, find=waiting.public_id)
    assert answer.status_code == 400
    assert fields_with_errors(answer.content.decode()) == ["find"]
    assert not task.dependencies.exists()


def test_tasks_of_another_project_are_neither_found_nor_added(client: Client, task: Task) -> None:
    other = make_task(make_project("other"), title="Secret thing")
    page = html_of(edited(client, task, find="Secret", look="1"))
    assert other.public_id not in page
    assert edited(client, task, find=other.public_id).status_code == 400
    edited(client, task, add=[other.public_id])
    assert not task.dependencies.exists()


def test_hostile_text_is_shown_and_sent_back_as_it_is(client: Client, project: Project) -> None:
    task = make_task(
        project, title=EVIL, description=EVIL, context=EVIL, effort=EVIL, specialist="<b>x</b>", public_id="evil_1"
    )
    make_dependency(task, make_task(project, title=EVIL))
    page = html_of(client.get(_of(task)))
    assert "<script>alert" not in page and "<b>x</b>" not in page
    edited(client, task, priority="4")
    assert Task.objects.get(pk=task.pk).description == EVIL
    assert Event.objects.get(task=task).after == {"priority": 4}


@pytest.mark.parametrize("seen", ["", "yesterday", "2026-01-01", "9999-99-99T00:00:00+00:00", "x" * 500])
def test_a_form_that_says_nonsense_about_what_was_seen_overwrites_nothing(
    client: Client, task: Task, seen: str
) -> None:
    assert edited(client, task, title="Forged", seen=seen).status_code == 409
    assert Task.objects.get(pk=task.pk).title == "Count it"


def test_saving_leads_back_to_where_it_was_asked_for_but_to_no_other_host(client: Client, task: Task) -> None:
    assert edited(client, task, title="A", next="/projects/ledger/")["Location"] == "/projects/ledger/"
    assert edited(client, task, title="B", next="https://evil.example/")["Location"] == f"/tasks/{task.public_id}/"


@pytest.mark.parametrize(("facts", "status"), [({}, 403), ({"is_staff": True}, 200), ({"is_superuser": True}, 200)])
def test_it_is_for_those_who_may_write(task: Task, facts: dict[str, bool], status: int) -> None:
    client = Client()
    client.force_login(make_user("grace", **facts))
    assert client.get(_of(task)).status_code == status


def test_a_reader_cannot_save_past_the_page(task: Task) -> None:
    client = Client()
    client.force_login(make_user("grace"))
    assert client.post(_of(task), {"title": "Mine"}).status_code == 403
    assert Task.objects.get(pk=task.pk).title == "Count it"


def test_it_takes_as_many_queries_with_many_dependencies_as_with_few(client: Client, project: Project) -> None:
    def queries(size: int) -> int:
        task = make_task(project)
        for _ in range(size):
            make_dependency(task, make_task(project))
        with CaptureQueriesContext(connection) as captured:
            client.get(_of(task))
        return len(captured)

    assert queries(3) == queries(30)
