"""The tool context_library."""

from __future__ import annotations

import pytest

from orchestrator_site.kernel.identity import Principal, Scope, with_included
from tasks.library.models import Context
from tasks.library.services import contexts
from tasks.models import Project, Task
from tasks.services.caller import Caller
from tests.assistants import Assistant
from tests.library.test_contexts_services import OTHER, PERSON, save

pytestmark = pytest.mark.django_db


@pytest.fixture
def task_id(ada: Assistant) -> str:
    return ada.plan("Build the cache")["Build the cache"]


@pytest.fixture
def project(task_id: str) -> Project:
    return Task.objects.get(public_id=task_id).project


def limited(ada: Assistant, *scopes: Scope) -> Assistant:
    """Return an assistant in the same folder that may do less."""
    other = Assistant(ada.folder)
    other.caller = Caller(Principal("bob", with_included(scopes)), "another", "tester", "1", {}, str(ada.folder))
    return other


def test_what_is_saved_is_a_draft_with_its_source(ada: Assistant, task_id: str) -> None:
    saved = ada.call(
        "context_library", action="save_context", name="cold", text="It is cold.", specialist_type="tester",
        words=["cache"], paths=["src/*"], task_id=task_id,
    )  # fmt: skip
    row = Context.objects.get(public_id=saved["context_id"])
    assert (row.state, row.sources, row.words, row.paths) == ("draft", [task_id], ["cache"], ["src/*"])
    assert saved["state"] == "draft"


def test_load_lists_what_a_specialist_may_get_and_reads_one(ada: Assistant, project: Project) -> None:
    mine, for_all = save(project), save(project, "all", OTHER, specialist="")
    save(project, "else", "Draw boxes.", specialist="architect")
    listed = ada.call("context_library", action="load_context", specialist_type="tester")
    assert {row["context_id"] for row in listed["contexts"]} == {mine.public_id, for_all.public_id}
    assert ada.call("context_library", action="load_context")["total"] == 3
    loaded = ada.call("context_library", action="load_context", context_id=mine.public_id)
    assert (loaded["text"], loaded["specialist_type"]) == (mine.text, "tester")


def test_suggest_names_what_the_brief_of_a_task_has(ada: Assistant, project: Project, task_id: str) -> None:
    row = save(project, specialist="implementer", words=["cache"])
    save(project, "else", OTHER, specialist="implementer", words=["invoices"])
    found = ada.call("context_library", action="suggest_context", task_id=task_id)
    assert [each["context_id"] for each in found["contexts"]] == [row.public_id]


def test_others_are_merged_into_the_first(ada: Assistant, project: Project) -> None:
    first, second = save(project), save(project, "second", OTHER)
    merged = ada.call("context_library", action="merge_contexts", context_ids=[first.public_id, second.public_id])
    assert merged["context_id"] == first.public_id
    assert OTHER in Context.objects.get(pk=first.pk).text


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"action": "save_context", "text": "x"}, "invalid"),
        ({"action": "suggest_context"}, "invalid"),
        ({"action": "merge_contexts", "context_ids": []}, "invalid"),
        ({"action": "merge_contexts", "context_ids": [f"context_{number}" for number in range(22)]}, "invalid"),
        ({"action": "load_context", "context_id": "context_0"}, "not_found"),
        ({"action": "load_context", "context_id": "../../etc/passwd"}, "not_found"),
        ({"action": "suggest_context", "task_id": "task_00000000"}, "not_found"),
        ({"action": "forget"}, "invalid"),
    ],
)
def test_what_is_missing_or_unknown_is_refused(
    ada: Assistant, project: Project, arguments: dict[str, object], code: str
) -> None:
    assert ada.refused("context_library", **arguments)["code"] == code


def test_each_action_needs_its_scope(ada: Assistant, project: Project) -> None:
    first, second = save(project), save(project, "second", OTHER)
    both = [first.public_id, second.public_id]
    reader, writer = limited(ada, Scope.READ), limited(ada, Scope.WRITE)
    assert reader.call("context_library", action="load_context")["total"] == 2
    draft = {"action": "save_context", "name": "third", "text": "Draw boxes."}
    assert reader.refused("context_library", **draft)["code"] == "forbidden"
    assert writer.call("context_library", **draft)["state"] == "draft"
    assert writer.refused("context_library", action="merge_contexts", context_ids=both)["code"] == "forbidden"


def test_nothing_of_another_project_is_found(
    ada: Assistant, project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    row = save(project)
    other = Assistant(tmp_path_factory.mktemp("other"))
    other.call("initialize_session", project_dir=str(other.folder))
    assert other.refused("context_library", action="load_context", context_id=row.public_id)["code"] == "not_found"
    assert other.call("context_library", action="load_context")["total"] == 0


def test_an_answer_stays_small_however_many_there_are(ada: Assistant, project: Project) -> None:
    for number in range(30):
        save(project, f"name-{number}", " ".join(f"w{number}x{place}" for place in range(200)))
    assert len(ada.send("context_library", action="load_context").text.encode()) <= 2_000


def test_a_dismissed_one_can_be_read_but_is_not_listed(ada: Assistant, project: Project) -> None:
    row = contexts.dismiss_context(project=project, context=save(project), actor=PERSON)
    assert ada.call("context_library", action="load_context")["total"] == 0
    assert ada.call("context_library", action="load_context", context_id=row.public_id)["text"] == row.text
