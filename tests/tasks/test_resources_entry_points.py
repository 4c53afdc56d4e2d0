"""Resources for assistants, over REST, and for people."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from tasks.models import Project, Resource, ResourceHold, Task
from tests.assistants import Assistant, completion, subtask
from tests.factories import html_of, make_hold, make_project, make_resource, make_task, signed_in
from tests.rest import Rest, rest

pytestmark = pytest.mark.django_db
OWNER = {"is_staff": True, "is_superuser": True}


# Assistants


@pytest.fixture
def staging(ada: Assistant) -> Resource:
    return make_resource(ada.caller.project(), title="The staging site")


def planned(ada: Assistant, *titles: str) -> list[str]:
    subtasks = [subtask(title, resources=["staging"]) for title in titles]
    return [row["task_id"] for row in ada.call("plan_task", description="A job", subtasks=subtasks)["subtasks"]]


def test_a_brief_names_the_resource_and_its_number(ada: Assistant, staging: Resource) -> None:
    (task_id,) = planned(ada, "Deploy")
    brief = ada.call("execute_subtask", task_id=task_id)["brief"]
    assert "staging (The staging site), yours under number 1" in brief


def test_a_status_says_which_resource_a_task_waits_for(ada: Assistant, bob: Assistant, staging: Resource) -> None:
    first, second = planned(ada, "Deploy", "Measure")
    assert ada.call("get_status", task_id=second)["resources"] == [{"name": "staging", "free": True}]
    ada.call("execute_subtask", task_id=first)
    (need,) = bob.call("get_status", task_id=second)["resources"]
    assert (need["free"], need["held_by"][0]["task_id"]) == (False, first)
    assert ada.call("get_status", task_id=first)["resources"] == [{"name": "staging", "number": 1}]
    refused = bob.send("execute_subtask", task_id=second)
    assert (refused.payload["code"], refused.payload["details"]["resource"]) == ("not_ready", "staging")


def test_a_status_names_only_some_of_what_a_task_needs(ada: Assistant, staging: Resource) -> None:
    names = [make_resource(staging.project, f"port-{number:02}", capacity=3).name for number in range(20)]
    for resource in Resource.objects.exclude(pk=staging.pk):
        for _ in range(3):
            make_hold(resource)
    planned = ada.call("plan_task", description="A job", subtasks=[subtask("Deploy", resources=names)])
    status = ada.call("get_status", task_id=planned["subtasks"][0]["task_id"])
    assert (len(status["resources"]), status["resources_total"]) == (5, 20)
    assert len(json.dumps(status).encode()) <= 2_000


def test_counts_and_what_is_next_agree_with_what_is_free(ada: Assistant, bob: Assistant, staging: Resource) -> None:
    first, second = planned(ada, "Deploy", "Measure")
    ada.call("execute_subtask", task_id=first)
    assert "next_ready" not in bob.call("initialize_session")
    done = ada.call("complete_subtask", **completion(first))
    assert done["next_recommended_task"]["task_id"] == second
    assert bob.call("execute_subtask")["task_id"] == second


def test_an_assistant_holds_a_resource_alone_and_gives_it_back(
    ada: Assistant, bob: Assistant, staging: Resource
) -> None:
    held = ada.call("execute_subtask", hold_resource="staging")
    assert (held["resource"], held["number"]) == ("staging", 1)
    assert bob.send("execute_subtask", hold_resource="staging").payload["code"] == "not_ready"
    assert bob.refused("execute_subtask", free_resource="staging")["code"] == "conflict"
    ada.call("execute_subtask", free_resource="staging", number=1)
    assert bob.call("execute_subtask", hold_resource="staging")["number"] == 2


@pytest.mark.parametrize(
    "arguments",
    [
        {"hold_resource": "staging", "free_resource": "staging"},
        {"hold_resource": "staging", "task_id": "task_00000000"},
        {"hold_resource": "staging", "specialist_type": "tester"},
    ],
    ids=str,
)
def test_a_hold_is_asked_for_alone(ada: Assistant, staging: Resource, arguments: dict[str, Any]) -> None:
    assert ada.refused("execute_subtask", **arguments)["code"] == "invalid"


def test_an_unknown_resource_is_named_with_those_that_there_are(ada: Assistant, staging: Resource) -> None:
    refused = ada.refused("execute_subtask", hold_resource="stageing")
    assert (refused["code"], refused["details"]["allowed"]) == ("not_found", ["staging"])


def test_an_assistant_changes_what_a_task_needs(ada: Assistant, staging: Resource) -> None:
    (task_id,) = planned(ada, "Deploy")
    assert ada.call("update_task", task_id=task_id, resources=[])["changed"] == ["resources"]
    assert "resources" not in ada.call("get_status", task_id=task_id)
    ada.call("update_task", task_id=task_id, resources=["staging"])
    assert ada.call("get_status", task_id=task_id)["resources"]
    assert ada.refused("update_task", task_id=task_id, resources=["moon"])["code"] == "invalid"


# REST


@pytest.fixture
def project() -> Project:
    return make_project("shop")


@pytest.fixture
def api(project: Project) -> Rest:
    return rest()


AT = "/projects/shop/resources"


def test_a_resource_is_written_read_listed_and_deleted(api: Rest, project: Project) -> None:
    written = api.send("PUT", f"{AT}/staging", {"title": "The site", "capacity": 2})
    facts = written.json()
    assert (written.status_code, facts["name"], facts["capacity"], facts["held"], facts["holds"]) == (
        200, "staging", 2, 0, [],
    )  # fmt: skip
    assert api.get(f"{AT}/staging") == facts and api.get(AT)["results"] == [facts]
    assert api.send("DELETE", f"{AT}/staging").status_code == 204
    assert api.refused(404, "GET", f"{AT}/staging")["code"] == "not_found"


def test_an_edit_of_what_has_changed_is_refused(api: Rest, project: Project) -> None:
    etag = api.send("PUT", f"{AT}/staging", {})["ETag"]
    api.send("PUT", f"{AT}/staging", {"capacity": 3})
    assert api.refused(412, "PUT", f"{AT}/staging", {"capacity": 2}, If_Match=etag)
    assert Resource.objects.get().capacity == 3


def test_a_token_holds_a_resource_and_gives_it_back(api: Rest, project: Project) -> None:
    make_resource(project)
    held = api.send("POST", f"{AT}/staging/holds", {})
    assert (held.status_code, held.json()["number"], held.json()["task_id"]) == (201, 1, None)
    assert api.get(f"{AT}/staging")["holds"] == [held.json()]
    other = rest(scopes=("read", "write"))
    assert other.refused(409, "POST", f"{AT}/staging/holds", {})["code"] == "not_ready"
    assert other.refused(403, "DELETE", f"{AT}/staging/holds/1")["code"] == "forbidden"
    assert api.send("DELETE", f"{AT}/staging/holds/1").status_code == 204
    assert api.refused(409, "DELETE", f"{AT}/staging/holds/1")["code"] == "conflict"
    assert api.refused(409, "DELETE", f"{AT}/staging/holds/9999999999")["code"] == "conflict"
    for number in ("one", "0" * 10 + "1" * 4_990):
        assert api.refused(404, "DELETE", f"{AT}/staging/holds/{number}")["code"] == "not_found"


def test_only_an_admin_writes_resources_over_rest(project: Project) -> None:
    writer = rest(scopes=("read", "write"))
    assert writer.refused(403, "PUT", f"{AT}/staging", {})["code"] == "forbidden"
    make_resource(project)
    assert writer.refused(403, "DELETE", f"{AT}/staging")["code"] == "forbidden"
    assert Resource.objects.get().held == 0


def test_a_task_says_what_it_needs_and_takes_another(api: Rest, project: Project) -> None:
    make_resource(project)
    task = api.plan(project, subtasks=[{**subtask("Deploy"), "resources": ["staging"]}])["Deploy"]
    assert api.get(f"/tasks/{task}")["resources"] == [{"name": "staging", "is_free": True, "number": None}]
    claimed = api.post(f"/tasks/{task}/claim")["task"]
    assert claimed["resources"] == [{"name": "staging", "is_free": True, "number": 1}]
    api.post(f"/tasks/{task}/release")
    assert api.send("PATCH", f"/tasks/{task}", {"resources": None}).json()["resources"] == []


# People


def test_a_page_lists_resources_with_their_holders(client: Client, project: Project) -> None:
    signed_in(client)
    task = make_task(project, status="active", title="Deploy it")
    staging = make_resource(project, "staging", task, capacity=2)
    make_hold(staging, task)
    make_hold(staging, holder="Codex")
    page = html_of(client.get("/projects/shop/resources/"))
    row = page.partition('id="resource-staging"')[2].partition("</tr>")[0]
    assert "2 of 2" in row and "Deploy it" in row and "Codex" in row
    assert "<form" not in row and 'name="capacity"' not in page


def test_a_project_without_resources_says_what_to_do(client: Client, project: Project) -> None:
    signed_in(client)
    assert 'class="empty"' in html_of(client.get("/projects/shop/resources/"))


def test_an_owner_adds_edits_and_deletes_one(client: Client, project: Project) -> None:
    signed_in(client, **OWNER)
    at = "/projects/shop/resources/"
    assert client.post(at, {"name": "staging", "title": "The site", "capacity": "1"}).status_code == 302
    assert 'value="The site"' in html_of(client.get(f"{at}?edit=staging"))
    client.post(at, {"edit": "staging", "title": "", "capacity": "4"})
    assert (Resource.objects.get().capacity, Resource.objects.get().title) == (4, "")
    client.post(at, {"edit": "staging", "do": "delete"})
    assert not Resource.objects.exists()


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"name": "No name", "capacity": "1"}, "name"),
        ({"name": "port", "capacity": "none"}, "capacity"),
        ({"name": "staging", "capacity": "1"}, "name"),
    ],
    ids=["name", "capacity", "taken"],
)
def test_what_is_wrong_is_said_at_its_field(
    client: Client, project: Project, typed: dict[str, str], field: str
) -> None:
    signed_in(client, **OWNER)
    make_resource(project)
    answer = client.post("/projects/shop/resources/", typed)
    assert answer.status_code in (400, 409)
    assert f'id="{field}-errors"' in answer.content.decode()
    assert Resource.objects.count() == 1


def test_a_reviewer_frees_what_a_session_holds_alone(client: Client, project: Project) -> None:
    signed_in(client, is_staff=True)
    hold = make_hold(make_resource(project))
    at = "/projects/shop/resources/free/"
    assert client.post(at, {"resource": "staging", "number": "7"}).status_code == 302
    assert ResourceHold.objects.filter(pk=hold.pk).exists()
    client.post(at, {"resource": "staging", "number": str(hold.number)})
    assert Resource.objects.get().held == 0 and not ResourceHold.objects.exists()


def test_a_reader_frees_and_adds_nothing(client: Client, project: Project) -> None:
    signed_in(client)
    make_hold(make_resource(project))
    assert client.post("/projects/shop/resources/free/", {"resource": "staging", "number": "1"}).status_code == 403
    assert client.post("/projects/shop/resources/", {"name": "port", "capacity": "1"}).status_code == 403
    assert Resource.objects.get().held == 1


def test_the_page_of_a_task_names_what_it_needs_and_who_holds_it(client: Client, project: Project) -> None:
    signed_in(client)
    task: Task = make_task(project)
    make_hold(make_resource(project, "staging", task), holder="Codex")
    facts = html_of(client.get(f"/tasks/{task.public_id}/")).partition('id="resources"')[2].partition("</dd>")[0]
    assert "staging" in facts and "Codex" in facts
