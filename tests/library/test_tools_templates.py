"""The tool template_manager, and plan_task from a template."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestrator_site.kernel.identity import Principal, Scope, with_included
from orchestrator_site.mcp import registry, serializers
from tasks.library.models import PlanOrigin
from tasks.library.models import Template as Row
from tasks.models import Project, Task
from tasks.services.caller import Caller
from tests.assistants import Assistant, subtask
from tests.library.templates import of_steps, step

pytestmark = pytest.mark.django_db
MANAGER = "template_manager"
TEXT = of_steps(
    step("a", title="'Do {p}'", gates="[report]"),
    step("b", needs="[a]"),
    parameters="p: {required: true}",
    more="when: Tea",
)
GIVEN = {"p": "x"}


def small(answer: dict[str, Any]) -> dict[str, Any]:
    assert len(json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()) <= 2000
    return answer


def test_the_tool_takes_at_most_700_bytes_of_the_list() -> None:
    (tool,) = [each for each in registry.tools(["templates"]) if each.name == f"orchestrator_{MANAGER}"]
    listed = serializers.described(tool).model_dump(by_alias=True, exclude_none=True, mode="json")
    assert len(json.dumps(listed, separators=(",", ":"), ensure_ascii=False).encode()) <= 700


def test_the_list_names_every_template_with_its_source(ada: Assistant) -> None:
    ada.call(MANAGER, action="create_template", text=TEXT)
    found = small(ada.call(MANAGER, action="list_templates"))
    rows = {row["name"]: row for row in found["templates"]}
    assert found["templates_total"] == 9
    assert (found["templates"][0]["name"], rows["mine"]["source"]) == ("mine", "project")


def test_what_fits_is_suggested_with_what_it_needs(ada: Assistant) -> None:
    found = small(ada.call(MANAGER, action="suggest_templates", description="Fix a bug"))
    assert (found["templates"][0]["name"], found["templates"][0]["required"]) == ("bugfix", ["symptom"])


@pytest.mark.parametrize("name", ["feature", "migration", "security_review"])
def test_a_template_is_shown_with_its_parameters_and_steps(ada: Assistant, name: str) -> None:
    found = small(ada.call(MANAGER, action="show_template", name=name))
    assert found["parameters_total"] == len(found["parameters"])
    assert found["steps"][0]["key"]
    assert found["sha256"]


def test_a_preview_is_the_plan_that_is_made_and_plans_nothing(ada: Assistant) -> None:
    ada.call(MANAGER, action="create_template", text=TEXT)
    seen = small(ada.call(MANAGER, action="show_template", name="mine", parameters=GIVEN))
    assert not Task.objects.exists()
    assert [(each["key"], each["title"], each.get("gates")) for each in seen["steps"]] == [
        ("a", "Do x", ["report"]), ("b", "B", None)
    ]  # fmt: skip
    made = ada.call(MANAGER, action="apply_template", name="mine", parameters=GIVEN, sha256=seen["sha256"])
    assert [each["title"] for each in made["subtasks"]] == [each["title"] for each in seen["steps"]]


def test_parameters_may_come_as_json_in_a_string(ada: Assistant) -> None:
    made = ada.call(MANAGER, action="apply_template", name="spike", parameters='{"question": "Which?", "hours": 2}')
    assert PlanOrigin.objects.get(plan__public_id=made["parent_task_id"]).parameters["hours"] == 2
    assert made["repaired"]


def test_wrong_parameters_are_named_with_what_is_allowed(ada: Assistant) -> None:
    refused = ada.refused(MANAGER, action="apply_template", name="feature", parameters={"name": "x", "risk": "none"})
    problems = {each["at"]: each for each in refused["details"]["problems"]}
    assert set(problems) == {"parameters.goal", "parameters.risk"}
    assert problems["parameters.risk"]["allowed"] == ["low", "normal", "high"]


def test_another_template_than_the_one_shown_is_refused(ada: Assistant) -> None:
    given = {"action": "apply_template", "name": "spike", "parameters": {"question": "Which?"}}
    assert ada.refused(MANAGER, **given, sha256="0" * 64)["code"] == "conflict"


def test_a_text_is_validated_and_saves_nothing(ada: Assistant) -> None:
    assert ada.call(MANAGER, action="validate_template", text=TEXT)["valid"] is True
    refused = ada.refused(MANAGER, action="validate_template", text=TEXT.replace("tester", "wizard"))
    assert refused["details"]["problems"][0]["at"] == "line 4"
    assert not Row.objects.exists()


def test_a_template_is_created_and_deleted(ada: Assistant) -> None:
    assert ada.call(MANAGER, action="create_template", text=TEXT)["number"] == 1
    ada.call(MANAGER, action="delete_template", name="mine")
    assert ada.refused(MANAGER, action="show_template", name="mine")["code"] == "not_found"


WORDS = {"template_list": "templates", "list": "templates", "template_info": "steps", "load": "steps"}


@pytest.mark.parametrize("word", WORDS)
def test_other_words_for_an_action_are_taken_and_named(ada: Assistant, word: str) -> None:
    answer = ada.call(MANAGER, action=word, name="spike")
    assert answer[WORDS[word]]
    assert answer["repaired"]


@pytest.mark.parametrize("action", ["show_template", "apply_template", "validate_template", "suggest_templates"])
def test_what_an_action_needs_is_asked_for(ada: Assistant, action: str) -> None:
    assert ada.refused(MANAGER, action=action)["code"] == "invalid"


NEEDED = {
    "list_templates": Scope.READ, "suggest_templates": Scope.READ, "show_template": Scope.READ,
    "validate_template": Scope.READ, "apply_template": Scope.WRITE, "create_template": Scope.ADMIN,
    "delete_template": Scope.ADMIN,
}  # fmt: skip


@pytest.mark.parametrize("action", NEEDED)
@pytest.mark.parametrize("scope", [Scope.READ, Scope.WRITE, Scope.REVIEW, Scope.ADMIN])
def test_each_action_asks_for_its_scope(ada: Assistant, action: str, scope: Scope) -> None:
    ada.call(MANAGER, action="create_template", text=TEXT)
    scopes = with_included([scope])
    ada.caller = Caller(Principal("eve", scopes), "connection-of-eve", "tester", "1", {}, str(ada.folder))
    sent = {"action": action, "name": "mine", "text": TEXT, "parameters": GIVEN, "description": "Tea"}
    outcome = ada.send(MANAGER, **sent)
    assert (outcome.payload.get("code") == "forbidden") is (NEEDED[action] not in scopes)


def test_a_broken_template_is_shown_with_its_problem_and_plans_nothing(ada: Assistant) -> None:
    folder = ada.folder / ".task_orchestrator" / "templates"
    folder.mkdir(parents=True)
    (folder / "spike.yaml").write_text("template: spike\ntitle: Mine\n")
    assert "spike.yaml, line 1" in ada.call(MANAGER, action="show_template", name="spike")["problems"][0]
    for action in ("show_template", "apply_template"):
        refused = ada.send(MANAGER, action=action, name="spike", parameters={"question": "Which?"}).payload
        assert (refused["code"], "spike.yaml, line 1" in refused["message"]) == ("conflict", True)
    assert not Task.objects.exists()


def test_the_same_key_applies_once(ada: Assistant) -> None:
    given = {"action": "apply_template", "name": "spike", "parameters": {"question": "Which?"}, "idempotency_key": "k"}
    first, second = (ada.call(MANAGER, **given)["parent_task_id"] for _ in range(2))
    assert first == second
    assert PlanOrigin.objects.count() == 1


def test_plan_task_takes_a_template_instead_of_subtasks(ada: Assistant) -> None:
    made = ada.call("plan_task", template="spike", parameters={"question": "Which?"})
    plan = Task.objects.get(public_id=made["parent_task_id"])
    assert plan.title == "Spike: Which?"
    assert plan.origin.template == "spike"


def test_a_description_sent_with_a_template_is_the_plans(ada: Assistant) -> None:
    made = ada.call("plan_task", template="spike", parameters={"question": "Which?"}, description="My own")
    assert Task.objects.get(public_id=made["parent_task_id"]).title == "My own"


WRONG: list[dict[str, Any]] = [
    {"template": "spike"},
    {"template": "spike", "parameters": {"question": "Which?"}, "subtasks": [subtask("A")]},
    {"template": "spike", "parameters": {"question": "Which?"}, "sha256": "0" * 64},
    {"template": "none"},
    {"parameters": {"question": "Which?"}, "description": "A job", "subtasks": [subtask("A")]},
    {"description": "A job"},
]


@pytest.mark.parametrize("given", WRONG, ids=str)
def test_plan_task_refuses_what_does_not_go_together(ada: Assistant, given: dict[str, Any]) -> None:
    assert ada.refused("plan_task", **given)["code"] in ("invalid", "conflict", "not_found")


def test_no_assistant_reads_of_the_arguments_for_templates() -> None:
    (tool,) = [each for each in registry.tools() if each.name == "orchestrator_plan_task"]
    schema = serializers.described(tool).input_schema
    assert not {"template", "parameters", "sha256"} & schema["properties"].keys()
    assert schema["required"] == ["description", "subtasks"]


def test_a_project_that_switches_suggestions_off_gets_none(ada: Assistant) -> None:
    Project.objects.update(settings={"templates": {"suggest": "off"}})
    found = ada.call(MANAGER, action="suggest_templates", description="Fix a bug")
    assert "templates" not in found and "list_templates" in found["next"]
