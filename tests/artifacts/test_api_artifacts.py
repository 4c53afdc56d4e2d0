"""/api/v1/artifacts: what was delivered, its versions and its bytes, over REST."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from django.test import Client

from artifacts.models import Artifact, Content
from artifacts.storage import path_of
from orchestrator_site.tokens.service import create_token
from tasks.models import Project, Task
from tests.factories import make_artifact, make_project, make_task, make_user

pytestmark = pytest.mark.django_db
LARGE = "".join(f"{number:07} ü\n" for number in range(40_000))


@pytest.fixture
def project() -> Project:
    return make_project("ledger")


@pytest.fixture
def task(project: Project) -> Task:
    return make_task(project)


def client_for(name: str = "ada", **token: Any) -> Client:
    """Return a client with an access token that may read."""
    secret = create_token(owner=make_user(name, is_superuser=True), name="laptop", scopes=["read"], **token)[1]
    return Client(headers={"Authorization": f"Bearer {secret}"})


@pytest.fixture
def ada() -> Client:
    return client_for()


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [row["artifact_id"] for row in answer.json()["results"]]


def body(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


def test_an_artifact_says_what_is_known_of_it_and_nothing_of_its_bytes(ada: Client, task: Task) -> None:
    artifact = make_artifact(task, "one", "größer", paths=["src/a.md", "b.md"], kind="code", summary="Half of it")
    answer = ada.get(f"/api/v1/artifacts/{artifact.public_id}")
    found = answer.json()
    assert (found["artifact_id"], found["project"], found["task_id"]) == (artifact.public_id, "ledger", task.public_id)
    assert (found["kind"], found["summary"], found["paths"]) == ("code", "Half of it", ["src/a.md", "b.md"])
    latest = found["latest"]
    assert (found["version"], latest["version"], latest["size_chars"], latest["size_bytes"]) == (2, 2, 6, 8)
    assert latest["sha256"] == hashlib.sha256("größer".encode()).hexdigest()
    assert latest["content"] == f"http://testserver/api/v1/artifacts/{artifact.public_id}/content?version=2"
    again = ada.get(f"/api/v1/artifacts/{artifact.public_id}", headers={"If-None-Match": answer["ETag"]})
    assert again.status_code == 304


def test_a_list_is_narrowed_by_project_task_kind_and_path(ada: Client, task: Task) -> None:
    code = make_artifact(task, kind="code", paths=["src/Main.py", "src/main.css"])
    text = make_artifact(make_task(task.project), kind="documentation", paths=["docs/a.md"])
    other = make_artifact(make_task(make_project("other")), kind="test")
    list_ = "/api/v1/artifacts?ordering=created_at"
    everything = [code.public_id, text.public_id, other.public_id]
    assert ids(ada.get(list_)) == everything
    assert ids(ada.get(f"{list_}&project=ledger")) == everything[:2]
    assert ids(ada.get(f"{list_}&task={task.public_id}")) == [code.public_id]
    assert ids(ada.get(f"{list_}&kind=code,test")) == [code.public_id, other.public_id]
    assert ids(ada.get(f"{list_}&path=main")) == [code.public_id]
    assert ids(ada.get(f"{list_}&path=main&kind=test")) == []


def test_a_kind_that_is_none_is_refused_with_those_that_are(ada: Client) -> None:
    problem = ada.get("/api/v1/artifacts?kind=poem").json()
    assert problem["code"] == "invalid"
    assert "documentation" in problem["problems"][0]["allowed"]


def test_a_list_costs_the_same_number_of_questions_however_long_it_is(
    ada: Client, task: Task, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        make_artifact(task, "one", f"two {number}", paths=["a.md"])
    ada.get("/api/v1/artifacts")
    with django_assert_max_num_queries(5):
        assert len(ids(ada.get("/api/v1/artifacts"))) == 30


def test_pages_follow_each_other(ada: Client, task: Task) -> None:
    for number in range(5):
        make_artifact(task, str(number))
    seen, address = [], "/api/v1/artifacts?limit=2&ordering=created_at"
    while address:
        answer = ada.get(address)
        seen += ids(answer)
        address = answer.json()["next"]
    assert seen == list(Artifact.objects.order_by("pk").values_list("public_id", flat=True))


def test_versions_are_listed_the_latest_first(ada: Client, task: Task) -> None:
    artifact = make_artifact(task, "one", "two", "three")
    found = ada.get(f"/api/v1/artifacts/{artifact.public_id}/versions").json()["results"]
    assert [version["version"] for version in found] == [3, 2, 1]
    assert body(ada.get(found[2]["content"])) == b"one"


@pytest.mark.parametrize("text", ["", "short", LARGE], ids=["empty", "in the row", "in a file"])
def test_every_byte_arrives_whatever_the_client_would_rather_have(ada: Client, task: Task, text: str) -> None:
    artifact = make_artifact(task, text, paths=["src/page.html"])
    answer = ada.get(f"/api/v1/artifacts/{artifact.public_id}/content", headers={"Accept": "image/png"})
    assert body(answer) == text.encode()
    assert answer["ETag"] == f'"{hashlib.sha256(text.encode()).hexdigest()}"'
    assert answer["Content-Disposition"] == 'attachment; filename="page.html"'
    assert (answer["Content-Security-Policy"], answer["X-Content-Type-Options"]) == ("sandbox", "nosniff")
    assert answer["Accept-Ranges"] == "bytes"
    assert answer["Cache-Control"] == "private, no-cache"


def test_a_download_is_resumed_where_it_broke_off(ada: Client, task: Task) -> None:
    address = f"/api/v1/artifacts/{make_artifact(task, LARGE).public_id}/content"
    whole = LARGE.encode()
    etag = ada.head(address)["ETag"]
    rest = ada.get(address, headers={"Range": "bytes=100000-", "If-Range": etag})
    assert (rest.status_code, rest["Content-Range"]) == (206, f"bytes 100000-{len(whole) - 1}/{len(whole)}")
    assert body(rest) == whole[100_000:]


def test_a_range_beyond_the_end_is_a_problem_that_names_the_size(ada: Client, task: Task) -> None:
    address = f"/api/v1/artifacts/{make_artifact(task, 'short').public_id}/content"
    answer = ada.get(address, headers={"Range": "bytes=99-"})
    assert (answer.status_code, answer["Content-Range"]) == (416, "bytes */5")
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "invalid"


def test_what_the_client_has_already_is_not_sent_again(ada: Client, task: Task) -> None:
    address = f"/api/v1/artifacts/{make_artifact(task, 'short').public_id}/content"
    etag = ada.get(address)["ETag"]
    assert ada.get(address, headers={"If-None-Match": etag}).status_code == 304


@pytest.mark.parametrize("version", ["0", "-1", "x", "99999999999", "\u0661", ""])
def test_a_version_that_cannot_be_is_refused(ada: Client, task: Task, version: str) -> None:
    address = f"/api/v1/artifacts/{make_artifact(task).public_id}/content"
    assert ada.get(address, {"version": version}).json()["code"] == "invalid"


def test_what_is_not_there_is_reported_as_such(ada: Client, task: Task) -> None:
    artifact = make_artifact(task)
    for address in ("artifact_0", "artifact_0/versions", "artifact_0/content", "%00", f"{artifact.public_id}/raw"):
        assert ada.get(f"/api/v1/artifacts/{address}").json()["code"] == "not_found"
    assert ada.get(f"/api/v1/artifacts/{artifact.public_id}/content?version=2").json()["code"] == "not_found"


def test_a_bound_token_sees_the_artifacts_of_its_project_alone(task: Task) -> None:
    theirs, own = make_artifact(make_task(make_project("other"))), make_artifact(task)
    bound = client_for(project=task.project)
    assert ids(bound.get("/api/v1/artifacts")) == [own.public_id]
    assert ids(bound.get("/api/v1/artifacts?project=other")) == []
    for address in ("", "/versions", "/content"):
        assert bound.get(f"/api/v1/artifacts/{theirs.public_id}{address}").status_code == 404
        assert bound.get(f"/api/v1/artifacts/{own.public_id}{address}").status_code == 200


def test_nobody_reads_without_credentials(client: Client, task: Task) -> None:
    artifact = make_artifact(task)
    for address in ("", f"/{artifact.public_id}", f"/{artifact.public_id}/content"):
        assert client.get(f"/api/v1/artifacts{address}").status_code == 401


def test_missing_bytes_are_a_problem_and_no_empty_file(ada: Client, task: Task) -> None:
    artifact = make_artifact(task, LARGE)
    path_of(Content.objects.get().sha256).unlink()
    answer = ada.get(f"/api/v1/artifacts/{artifact.public_id}/content")
    assert (answer.status_code, answer["Content-Type"]) == (500, "application/problem+json")
    assert "Content-Disposition" not in answer


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_artifacts_are_made_by_completing_tasks_alone(ada: Client, task: Task, method: str) -> None:
    artifact = make_artifact(task)
    for address in ("", f"/{artifact.public_id}", f"/{artifact.public_id}/content"):
        answer = getattr(ada, method)(f"/api/v1/artifacts{address}", {}, content_type="application/json")
        assert answer.status_code == 405
