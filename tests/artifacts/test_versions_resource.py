"""Every version of a work as a resource, `artifact://{id}/v{n}`, over real HTTP and in both eras of the protocol."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.mcp.http_client import FULL, HttpClient
from tests.mcp.secured import SecuredSite, secured

TEMPLATE = "artifact://{id}/v{n}"
SUBTASK = {"title": "First", "description": "First", "specialist_type": "tester"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredSite]:
    tokens = {"board": {**FULL, "project": "board"}, "other": {**FULL, "project": "other"}}
    with secured(tmp_path_factory.mktemp("versions"), tokens) as site:
        yield site


@pytest.fixture(params=["2025-06-18", "2026-07-28"])
def client(request: pytest.FixtureRequest, site: SecuredSite) -> Iterator[HttpClient]:
    client = site.client("board", modern=request.param == "2026-07-28")
    client.call("orchestrator_initialize_session")
    yield client
    site.hang_up()


@pytest.fixture
def artifact(client: HttpClient) -> str:
    """Deliver a work twice to the same path and return its id."""
    planned = client.call("orchestrator_plan_task", description="A job", subtasks=[SUBTASK])
    task = planned["subtasks"][0]["task_id"]
    for text in ("one", "zwei ü"):
        work = {"summary": "s", "detailed_work": text, "next_action": "complete", "file_paths": ["a.md"]}
        made = client.call("orchestrator_complete_subtask", task_id=task, **work)
        client.call("orchestrator_update_task", task_id=task, action="request_revision", comment="Once more")
    assert made["artifact_info"]["version"] == 2
    return str(made["artifact_info"]["artifact_id"])


def completed(client: HttpClient, name: str, value: str, **chosen: str) -> list[str]:
    more: dict[str, Any] = {"context": {"arguments": chosen}} if chosen else {}
    reference = {"type": "ref/resource", "uri": TEMPLATE}
    answer = client.request("completion/complete", ref=reference, argument={"name": name, "value": value}, **more)
    return list(answer["result"]["completion"]["values"])


def test_each_version_is_read_and_the_latest_by_default(client: HttpClient, artifact: str) -> None:
    def text(uri: str) -> str:
        return str(client.request("resources/read", uri=uri)["result"]["contents"][0]["text"])

    assert text(f"artifact://{artifact}/v1") == "one"
    assert text(f"artifact://{artifact}/v2") == text(f"artifact://{artifact}") == "zwei ü"
    assert client.call("orchestrator_read_artifact", artifact_id=artifact, version=1)["text"] == "one"


@pytest.mark.parametrize(
    "odd",
    ["v0", "v3", "v", "v-1", "v1x", "v%D9%A3", "v" + "9" * 40, "v1/../v2", "v%00", "V1", "v1%2F", "v 1", "v1?x=1"],
)
def test_a_version_that_is_none_is_not_found(client: HttpClient, artifact: str, odd: str) -> None:
    answer = client.request("resources/read", uri=f"artifact://{artifact}/{odd}")
    assert "There is no" in answer["error"]["message"] or "has no version" in answer["error"]["message"]


def test_ids_and_numbers_are_completed(client: HttpClient, artifact: str) -> None:
    assert artifact in completed(client, "id", artifact[:12])
    assert completed(client, "n", "", id=artifact) == ["2", "1"]
    assert completed(client, "n", "1", id=artifact) == ["1"]
    assert completed(client, "n", "") == completed(client, "n", "", id="artifact_nope") == []
    assert completed(client, "n", "\x00", id=artifact) == completed(client, "n", "", id="\x00") == []


def test_another_project_reads_completes_and_watches_nothing(
    site: SecuredSite, client: HttpClient, artifact: str
) -> None:
    other = site.client("other")
    other.call("orchestrator_initialize_session")
    assert "error" in other.request("resources/read", uri=f"artifact://{artifact}/v1")
    assert completed(other, "n", "", id=artifact) == [] == completed(other, "id", artifact)
    wanted = {"resourceSubscriptions": [f"artifact://{artifact}/v1"]}
    assert other.request("subscriptions/listen", notifications=wanted)["error"]["data"]["code"] == "not_found"
