"""/api/v1/projects/{project}/contexts and /lessons."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from jsonschema import Draft202012Validator

from orchestrator_site.rest.openapi import document
from tasks.choices import NoteKind
from tasks.library.models import Context
from tasks.models import Note, Project
from tests.factories import make_project, make_task
from tests.library.test_contexts_services import ALIKE, FIRST, OTHER, save
from tests.rest import Rest, rest, signed_in_rest

pytestmark = pytest.mark.django_db
HERE, LESSONS = "/projects/ledger/contexts", "/projects/ledger/lessons"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project("ledger", root_path=str(tmp_path))


@pytest.fixture
def ada(project: Project) -> Rest:
    return rest()


@pytest.fixture
def lesson(project: Project) -> str:
    task = make_task(project, specialist="tester", status="completed")
    note = Note.objects.create(task=task, kind=NoteKind.LEARNED, text=OTHER, actor_name="ada")
    return f"{LESSONS}/{note.pk}"


def at(row: Context) -> str:
    return f"{HERE}/{row.public_id}"


def ids(page: dict[str, Any]) -> list[str]:
    return [row["context_id"] for row in page["results"]]


def test_a_token_saves_a_draft(ada: Rest) -> None:
    response = ada.send("POST", HERE, {"name": "first", "text": FIRST, "specialist_type": "tester", "words": ["a"]})
    assert response.status_code == 201
    made = ada.get(response["Location"])
    assert (made["state"], made["words"], made["project"]) == ("draft", ["a"], "ledger")


def test_a_person_saves_what_is_in_effect(project: Project) -> None:
    person = signed_in_rest(name="grace", is_staff=True)
    person.client.handler.enforce_csrf_checks = False
    assert person.post(HERE, {"name": "first", "text": FIRST})["state"] == "active"


def test_a_save_is_done_once_for_each_key(ada: Rest) -> None:
    body = {"name": "first", "text": FIRST}
    first = ada.send("POST", HERE, body, Idempotency_Key="k")
    assert ada.send("POST", HERE, body, Idempotency_Key="k").json() == first.json()
    assert Context.objects.count() == 1


def test_a_near_duplicate_names_the_other(ada: Rest, project: Project) -> None:
    row = save(project)
    problem = ada.refused(409, "POST", HERE, {"name": "second", "text": ALIKE, "specialist_type": "tester"})
    assert problem["details"] == {"context_id": row.public_id}


def test_the_list_is_filtered(ada: Rest, project: Project) -> None:
    first, second = save(project), save(project, "second", OTHER, specialist="architect")
    Context.objects.filter(pk=second.pk).update(is_disputed=True, state="draft")
    assert ids(ada.get(HERE)) == [second.public_id, first.public_id]
    assert ids(ada.get(f"{HERE}?specialist_type=tester")) == [first.public_id]
    assert ids(ada.get(f"{HERE}?state=draft,dismissed")) == [second.public_id]
    assert ids(ada.get(f"{HERE}?disputed=false")) == [first.public_id]


def test_an_edit_checks_what_was_read(ada: Rest, project: Project) -> None:
    row = save(project)
    etag = ada.send("GET", at(row))["ETag"]
    assert ada.send("PATCH", at(row), {"text": OTHER}, If_Match=etag).json()["text"] == OTHER
    ada.refused(412, "PATCH", at(row), {"text": FIRST}, If_Match=etag)


def test_a_brief_that_had_it_is_no_change_of_it(ada: Rest, project: Project) -> None:
    row = save(project)
    etag = ada.send("GET", at(row))["ETag"]
    Context.objects.filter(pk=row.pk).update(used=1, unused=2)
    assert ada.send("PATCH", at(row), {"text": OTHER}, If_Match=etag).status_code == 200


def test_a_deleted_one_stays_as_a_record(ada: Rest, project: Project) -> None:
    row = save(project)
    assert ada.send("DELETE", at(row)).status_code == 204
    assert ada.get(at(row))["state"] == "dismissed"
    ada.refused(409, "DELETE", at(row))


def test_the_verbs(ada: Rest, project: Project) -> None:
    row, other = save(project, expires_at=timezone.now()), save(project, "second", OTHER)
    Context.objects.filter(pk=row.pk).update(state="draft")
    assert ada.post(f"{at(row)}/accept")["state"] == "active"
    assert ada.post(f"{at(row)}/dispute")["is_disputed"] is True
    assert ada.post(f"{at(row)}/dispute", {"is_disputed": False})["is_disputed"] is False
    Context.objects.filter(pk=row.pk).update(expires_at=timezone.now() - timedelta(days=1))
    assert ada.post(f"{at(row)}/renew")["expires_at"] > timezone.now().isoformat()
    assert OTHER in ada.post(f"{at(row)}/merge", {"context_ids": [other.public_id]})["text"]


@pytest.mark.parametrize("verb", ["accept", "renew", "merge"])
def test_deciding_needs_review(project: Project, verb: str) -> None:
    row = save(project)
    body = {"context_ids": [save(project, "second", OTHER).public_id]} if verb == "merge" else {}
    assert rest(scopes=("write",)).refused(403, "POST", f"{at(row)}/{verb}", body)["code"] == "forbidden"


def test_files_are_listed_with_what_is_wrong(ada: Rest, project: Project) -> None:
    folder = Path(project.root_path) / ".task_orchestrator" / "contexts" / "tester"
    folder.mkdir(parents=True)
    (folder / "a.md").write_text("Use tabs.")
    (folder / "b.md").write_text("---\nbad: 1\n---\nx")
    found = ada.get(f"{HERE}/files")
    assert [row["path"] for row in found["results"]] == [".task_orchestrator/contexts/tester/a.md"]
    assert len(found["problems"]) == 1


def test_lessons_wait_and_are_accepted(ada: Rest, lesson: str) -> None:
    assert [row["text"] for row in ada.get(LESSONS)["results"]] == [OTHER]
    made = ada.post(f"{lesson}/accept", {"name": "secrets"})
    assert (made["state"], made["name"], made["specialist_type"]) == ("active", "secrets", "tester")
    assert ada.get(LESSONS)["results"] == []
    ada.refused(404, "GET", lesson)


def test_lessons_are_merged_or_dismissed(ada: Rest, project: Project, lesson: str) -> None:
    row = save(project)
    assert OTHER in ada.post(f"{lesson}/merge", {"context_id": row.public_id})["text"]
    ada.refused(404, "POST", f"{lesson}/dismiss")


def test_a_dismissed_lesson_is_gone(ada: Rest, lesson: str) -> None:
    assert ada.post(f"{lesson}/dismiss")["state"] == "dismissed"
    assert ada.get(LESSONS)["results"] == []


def test_nothing_is_seen_through_another_project(ada: Rest, project: Project, lesson: str) -> None:
    row = save(project)
    make_project("other")
    ada.refused(404, "GET", f"/projects/other/contexts/{row.public_id}")
    ada.refused(404, "GET", lesson.replace("ledger", "other"))


def test_answers_are_as_the_document_says(ada: Rest, project: Project, lesson: str) -> None:
    save(project)
    schemas = document()["components"]["schemas"]
    for address, name in ((HERE, "ContextShape"), (LESSONS, "LessonShape")):
        for row in ada.get(address)["results"]:
            validator = Draft202012Validator({**schemas[name], "components": {"schemas": schemas}})
            assert list(validator.iter_errors(row)) == []
