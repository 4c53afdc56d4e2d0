"""The page of a task's order: its priority, when it may start, and for whom it is."""

from __future__ import annotations

import pytest
from django.test import Client

from tasks.choices import Status, Verb
from tasks.models import Event, Project, Task
from tests.factories import html_of, make_plan, make_project, make_task, make_user, note_of

pytestmark = pytest.mark.django_db
SENT = {"boost": {"priority": "4"}, "defer": {"until": "2099-05-04T10:00"}, "assign": {"client": "Codex", "model": ""}}


@pytest.fixture
def task(client: Client) -> Task:
    client.force_login(make_user(is_staff=True))
    return make_task(make_project("shop"), parent=make_plan(make_project("other"), 0), is_ready=True)


def post(web: Client, task: Task, verb: str, **fields: str) -> Task:
    """Order what must be possible, and return the task as it is then."""
    answer = web.post(f"/tasks/{task.public_id}/order/", {"verb": verb, **SENT.get(verb, {}), **fields})
    assert (answer.status_code, answer["Location"]) == (302, f"/tasks/{task.public_id}/")
    assert Event.objects.get(task=task, verb=verb, actor_kind="person")
    return Task.objects.get(pk=task.pk)


def test_a_priority_is_set(client: Client, task: Task) -> None:
    assert post(client, task, "boost").priority_word == "urgent"


def test_a_time_is_one_of_the_projects_zone_and_is_shown_again(client: Client, task: Task) -> None:
    Project.objects.update(settings={"time_zone": "Asia/Tokyo"})
    changed = post(client, task, "defer")
    assert changed.not_before is not None and changed.not_before.isoformat() == "2099-05-04T01:00:00+00:00"
    assert not changed.is_ready
    assert 'value="2099-05-04T10:00"' in html_of(client.get(f"/tasks/{task.public_id}/order/"))


def test_an_empty_time_lets_it_start(client: Client, task: Task) -> None:
    post(client, task, "defer")
    Event.objects.all().delete()
    changed = post(client, task, "defer", until="")
    assert changed.not_before is None and changed.is_ready


def test_a_wish_is_kept_shown_and_taken_back(client: Client, task: Task) -> None:
    assert post(client, task, "assign").for_client == "codex"
    assert 'id="wished-for"' in html_of(client.get(f"/tasks/{task.public_id}/"))
    Event.objects.all().delete()
    assert post(client, task, "assign", client="").for_client == ""


@pytest.mark.parametrize(
    ("verb", "fields"),
    [
        ("boost", {"priority": "9"}), ("boost", {"priority": ""}), ("defer", {"until": "soon"}),
        ("defer", {"until": "2000-01-01T10:00"}), ("assign", {"client": "x" * 201}),
    ],
)  # fmt: skip
def test_a_wrong_field_comes_back_with_what_is_wrong(
    client: Client, task: Task, verb: str, fields: dict[str, str]
) -> None:
    answer = client.post(f"/tasks/{task.public_id}/order/", {"verb": verb, **fields})
    page = answer.content.decode()
    assert answer.status_code == 400 and note_of(page, "invalid")
    (typed,) = fields.values()
    assert verb == "boost" or f'value="{typed}"' in page
    assert not Event.objects.filter(task=task).exists()


@pytest.mark.parametrize("verb", SENT)
def test_what_changed_since_the_page_was_opened_is_not_overwritten(client: Client, task: Task, verb: str) -> None:
    sent = {"verb": verb, **SENT[verb], "seen": "active:3"}
    assert client.post(f"/tasks/{task.public_id}/order/", sent).status_code == 409
    assert not Event.objects.filter(task=task).exists()


@pytest.mark.parametrize("verb", ["", "cancel", "dance"])
def test_another_verb_is_not_found(client: Client, task: Task, verb: str) -> None:
    assert client.post(f"/tasks/{task.public_id}/order/", {"verb": verb}).status_code == 404


@pytest.mark.parametrize("verb", SENT)
def test_a_reader_orders_nothing(task: Task, verb: str) -> None:
    client = Client()
    client.force_login(make_user("rita"))
    address = f"/tasks/{task.public_id}/order/"
    assert client.get(address).status_code == 403
    assert client.post(address, {"verb": verb, **SENT[verb]}).status_code == 403
    assert address not in html_of(client.get(f"/tasks/{task.public_id}/"))


def test_a_finished_task_has_no_order(client: Client, task: Task) -> None:
    done = make_task(task.project, status=Status.COMPLETED)
    address = f"/tasks/{done.public_id}/order/"
    assert 'id="not-possible"' in html_of(client.get(address))
    assert client.post(address, {"verb": Verb.BOOST, "priority": "4"}).status_code == 409
    assert address not in html_of(client.get(f"/tasks/{done.public_id}/"))


def test_whoever_may_edit_finds_it_on_the_task(client: Client, task: Task) -> None:
    assert f"/tasks/{task.public_id}/order/" in html_of(client.get(f"/tasks/{task.public_id}/"))
