"""The OpenAPI document says what the code does, and costs nothing until someone asks for it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client
from jsonschema import Draft202012Validator

from orchestrator_site.rest.openapi import as_yaml, document
from tests.site.processes import ROOT, manage

pytestmark = pytest.mark.django_db


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document()["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def test_what_is_checked_in_is_what_the_code_says() -> None:
    checked_in = (ROOT / "docs" / "openapi.yaml").read_text()
    assert as_yaml() == checked_in, "Renew it: make openapi"


def test_the_command_prints_the_document_alone(empty_home: Path) -> None:
    printed = manage("openapi")
    assert (printed.returncode, printed.stderr) == (0, "")
    assert printed.stdout == as_yaml()


def test_everyone_may_read_it_in_yaml_or_in_json(client: Client) -> None:
    as_it_comes = client.get("/api/schema/")
    assert as_it_comes["Content-Type"] == "application/yaml; charset=utf-8"
    assert yaml.safe_load(as_it_comes.content) == document()
    asked = client.get("/api/schema/", headers={"Accept": "application/json,*/*"})
    assert asked["Content-Type"] == "application/json"
    assert json.loads(asked.content) == document()
    assert client.post("/api/schema/").status_code == 405


def test_it_is_of_the_version_that_json_schema_goes_with() -> None:
    assert document()["openapi"] == "3.1.0"


def test_every_operation_has_a_summary_a_name_of_its_own_and_the_problems_that_it_may_answer() -> None:
    names = [operation["operationId"] for _, operation in operations()]
    assert len(set(names)) == len(names)
    for place, operation in operations():
        assert operation["summary"], place
        assert "default" in operation["responses"], place


def test_every_operation_but_the_meaning_of_problems_needs_credentials() -> None:
    assert document()["security"] == [{"bearer": []}, {"session": []}]
    assert [place for place, operation in operations() if "security" in operation] == ["GET /api/v1/problems/{code}"]


def test_every_operation_says_which_scope_it_needs() -> None:
    reported = {place: operation.get("description", "") for place, operation in operations()}
    assert "`review`" in reported["POST /api/v1/tasks/{task_id}/approve"]
    assert "`write`" in reported["POST /api/v1/tasks/{task_id}/claim"]
    assert "`admin`" in reported["POST /api/v1/projects"]
    assert [place for place, words in reported.items() if "Needs the scope" not in words] == [
        "GET /api/v1/problems/{code}"
    ]


def test_every_body_and_every_answer_has_an_example_that_fits_it() -> None:
    components = document()["components"]
    seen = 0
    for place, operation in operations():
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        answers = [answer for status, answer in operation["responses"].items() if status[0] == "2"]
        for holder in (*bodies, *answers):
            if (content := holder.get("content", {}).get("application/json")) is not None:
                Draft202012Validator({**content["schema"], "components": components}).validate(content["example"])
                assert "…" not in [content["example"], *_texts(content["example"])], place
                seen += 1
    assert seen > 50


def _texts(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [value, *(text for each in inner for text in _texts(each))]


def test_bodies_name_all_their_fields_and_answers_always_have_theirs() -> None:
    schemas = document()["components"]["schemas"]
    assert schemas["PlanBody"]["additionalProperties"] is False
    assert schemas["SubtaskBody"]["properties"]["subtasks"]["items"] == {"$ref": "#/components/schemas/SubtaskBody"}
    assert set(schemas["TaskRow"]["required"]) == set(schemas["TaskRow"]["properties"])


def test_an_edit_says_of_if_match_and_every_write_of_its_key() -> None:
    reported = {place: [each["name"] for each in operation.get("parameters", ())] for place, operation in operations()}
    assert "If-Match" in reported["PATCH /api/v1/tasks/{task_id}"]
    writes = {place: names for place, names in reported.items() if not place.startswith("GET")}
    unkeyed = {place for place, names in writes.items() if "Idempotency-Key" not in names}
    assert unkeyed == {f"{verb} /api/v1/uploads/{{upload_id}}" for verb in ("PATCH", "DELETE")}  # the same twice anyway
    assert len(writes) > 20


def test_the_page_holds_no_script_or_style_of_its_own(client: Client) -> None:
    answer = client.get("/api/docs/")
    html = answer.content.decode()
    assert answer.status_code == 200
    assert "<style" not in html and "style=" not in html
    assert html.count("<script ") == html.count("<script") == html.count("<script src=") == 2
    assert "script-src 'self'" in answer["Content-Security-Policy"]
    assert "unsafe" not in answer["Content-Security-Policy"]


@pytest.mark.parametrize(
    "started",
    [
        "import orchestrator_site.application, orchestrator_site.urls",
        "import orchestrator_site.mcp.stdio.worker",
    ],
    ids=["the site", "the bridge"],
)
def test_nothing_that_makes_the_document_is_imported_when_a_process_starts(empty_home: Path, started: str) -> None:
    script = f"""
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "orchestrator_site.settings"
import django
django.setup()
{started}
print([name for name in sys.modules if name.startswith(("drf_spectacular.", "jsonschema"))])
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


def test_the_first_who_ask_at_the_same_time_all_get_it() -> None:
    script = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "orchestrator_site.settings"
import django
django.setup()
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from orchestrator_site.rest.openapi import document
start = Barrier(3)
with ThreadPoolExecutor(3) as threads:
    asked = [threads.submit(lambda: start.wait() < 3 and document()) for _ in range(3)]
    print(len({id(each.result()) for each in asked}))
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr
