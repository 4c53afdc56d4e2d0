"""/projects/{project}/settings: the whole document, as JSON and as YAML."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tasks.models import Event, Project
from tasks.project_settings.schema import BYTES_LIMIT, to_yaml
from tests.factories import make_project
from tests.rest import API, Rest, rest
from tests.settings_samples import BAD, GOOD, document

pytestmark = pytest.mark.django_db
ADDRESS = "/projects/shop/settings"
YAML = "application/yaml"
MERGE_PATCH = "application/merge-patch+json"


@pytest.fixture
def project() -> Project:
    return make_project("shop", settings={"review": True, "routing": {"explore": 2}})


@pytest.fixture
def ada(project: Project) -> Rest:
    return rest()


def send(client: Rest, method: str, body: Any, media_type: str = YAML) -> Any:
    raw = to_yaml(body) if media_type == YAML else json.dumps(body)
    raw = body if isinstance(body, str) else raw
    return client.client.generic(method, f"{API}{ADDRESS}", raw.encode(), content_type=media_type)


def kept() -> Any:
    return Project.objects.get().settings


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("media_type", ["application/json", YAML])
def test_every_setting_is_replaced_and_read(ada: Rest, name: str, media_type: str) -> None:
    for value in GOOD[name]:
        wanted = document(name, value)
        answer = send(ada, "PUT", wanted, media_type)
        assert (answer.status_code, answer.json(), kept()) == (200, wanted, wanted)
        assert ada.get(ADDRESS) == wanted
        read = ada.send("GET", ADDRESS, Accept=YAML)
        assert read["Content-Type"].startswith(YAML) and yaml.safe_load(read.content) == wanted


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize(("method", "media_type"), [("PUT", "application/json"), ("PATCH", MERGE_PATCH), ("PUT", YAML)])
def test_every_bad_value_is_refused_with_its_place(ada: Rest, name: str, media_type: str, method: str) -> None:
    for value, below in BAD[name]:
        answer = send(ada, method, document(name, value), media_type)
        assert answer.status_code == 400
        (problem,) = answer.json()["problems"]
        assert problem["at"] == f"settings.{name}{below}" and ("line" in problem) == (media_type == YAML)
    assert kept() == {"review": True, "routing": {"explore": 2}} and not Event.objects.exists()


def test_a_patch_merges_and_null_clears(ada: Rest) -> None:
    answer = send(ada, "PATCH", {"review": None, "routing": {"suggest": "off"}}, MERGE_PATCH)
    assert answer.json() == kept() == {"routing": {"explore": 2, "suggest": "off"}}
    assert send(ada, "PATCH", "routing: {explore: null}\nreview: true").json() == {
        "routing": {"suggest": "off"}, "review": True
    }  # fmt: skip
    event = Event.objects.latest("pk")
    assert event.verb == "edit_project" and event.after == {"settings": kept()}


def test_what_changes_nothing_leaves_no_event(ada: Rest) -> None:
    for method, body in (("PATCH", {"review": True}), ("PUT", kept())):
        assert send(ada, method, body).status_code == 200
    assert not Event.objects.exists()


def test_a_mistake_in_yaml_is_named_with_its_line(ada: Rest) -> None:
    answer = send(ada, "PUT", "review: true\nrouting:\n  suggest: act\n  guess: 1\n")
    assert {(each["at"], each["line"]) for each in answer.json()["problems"]} == {
        ("settings.routing.suggest", 3), ("settings.routing.guess", 4)
    }  # fmt: skip
    answer = send(ada, "PUT", "review: true\nreview: false\n")
    assert answer.status_code == 400 and answer.json()["problems"][0]["at"] == "line 2"


@pytest.mark.parametrize("raw", [b"\xff\xfe", b"- review", b"review: *all", b"{" * 40])
def test_a_body_that_is_no_document_is_refused(ada: Rest, raw: bytes) -> None:
    answer = ada.client.generic("PUT", f"{API}{ADDRESS}", raw, content_type=YAML)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")


def test_a_document_that_is_too_large_is_refused(ada: Rest) -> None:
    assert send(ada, "PUT", "# " + "x" * BYTES_LIMIT).status_code == 413


def test_a_document_that_would_be_too_large_as_yaml_is_refused_as_json_too(ada: Rest) -> None:
    long = {"argv": ["x" * 1_000] * 50}
    commands = {"gates": {"commands": {"test": long, "lint": long}}}
    answer = send(ada, "PUT", commands, "application/json")
    assert answer.status_code == 400 and answer.json()["problems"][0]["at"] == "settings"
    del commands["gates"]["commands"]["lint"]
    assert send(ada, "PUT", commands, "application/json").status_code == 200
    assert send(ada, "PUT", ada.send("GET", ADDRESS, Accept=YAML).content.decode()).json() == commands


@pytest.mark.parametrize("media_type", ["application/json", MERGE_PATCH, YAML])
def test_settings_are_not_replaced_by_an_empty_body(ada: Rest, media_type: str) -> None:
    assert send(ada, "PUT", "", media_type).status_code == 400
    assert kept() == {"review": True, "routing": {"explore": 2}}
    assert send(ada, "PUT", "{}", media_type).json() == kept() == {}


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_an_edit_of_what_has_changed_is_refused(ada: Rest, method: str) -> None:
    etag = ada.send("GET", ADDRESS)["ETag"]
    Project.objects.update(settings={"review": False})
    ada.refused(412, method, ADDRESS, {"mirror": False}, If_Match=etag)
    assert kept() == {"review": False}
    etag = ada.send("GET", ADDRESS)["ETag"]
    changed = ada.send(method, ADDRESS, {"mirror": False}, If_Match=etag)
    assert changed.status_code == 200 and changed["ETag"] == ada.send("GET", ADDRESS)["ETag"]
    assert ada.send("GET", ADDRESS, If_None_Match=changed["ETag"]).status_code == 304


def test_a_retry_with_the_same_key_is_done_once(ada: Rest) -> None:
    for _ in range(2):
        assert ada.send("PATCH", ADDRESS, {"review": False}, Idempotency_Key="k1").status_code == 200
    assert Event.objects.count() == 1


def test_reading_needs_read_and_changing_needs_admin(project: Project) -> None:
    reader = rest(scopes=("read", "write", "review"))
    assert reader.get(ADDRESS) == kept()
    for method in ("PUT", "PATCH"):
        reader.refused(403, method, ADDRESS, {})
    rest(project=make_project("other")).refused(404, "GET", ADDRESS)


def test_what_a_newer_version_stored_may_stay(ada: Rest) -> None:
    Project.objects.update(settings={"colour": {"of": "bikeshed"}})
    assert send(ada, "PATCH", {"review": True}).json() == {"colour": {"of": "bikeshed"}, "review": True}
    assert send(ada, "PUT", {"colour": {"of": "shed"}}).status_code == 400


def test_the_settings_of_the_project_itself_are_the_same_document(ada: Rest) -> None:
    made = ada.send("PATCH", "/projects/shop", {"settings": {"metrics": {"window_days": 7}}}).json()
    assert made["settings"] == ada.get(ADDRESS) == {"metrics": {"window_days": 7}}


def test_a_mirror_needs_a_folder(ada: Rest) -> None:
    assert ada.refused(400, "PATCH", ADDRESS, {"mirror": True})["problems"][0]["at"] == "settings.mirror"
