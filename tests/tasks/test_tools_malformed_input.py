"""What the tools answer to input that is wrong, hostile or half right: a clear error and no change, or a repair.

The cases are those that the ancestor was measured with, and what was learned from them.
"""

from __future__ import annotations

from typing import Any

import pytest

from artifacts.models import Artifact
from orchestrator_site.kernel.bodies import OBJECTS_LIMIT, VALUES_LIMIT
from tasks.choices import Status
from tasks.models import Task
from tests.assistants import Assistant, completion, subtask

BAD_PLANS: dict[str, tuple[Any, str]] = {
    "bad_json": ('[{"title": ', "subtasks"),
    "an_object": ({"title": "A"}, "subtasks"),
    "a_list_of_texts": (["A", "B"], "subtasks[0]"),
    "an_empty_list": ([], "subtasks"),
    "a_null": (None, "subtasks"),
    "a_number": (7, "subtasks"),
    "an_unknown_specialist": ([subtask("A", specialist_type="wizard")], "subtasks[0].specialist_type"),
    "no_specialist": ([{"title": "A", "description": "d"}], "subtasks[0].specialist_type"),
    "no_title": ([{"description": "d", "specialist_type": "tester"}], "subtasks[0].title"),
    "an_empty_title": ([subtask("")], "subtasks[0].title"),
    "a_blank_title": ([subtask(" \n")], "subtasks[0].title"),
    "an_empty_description": ([subtask("A", description="")], "subtasks[0].description"),
    "a_title_that_is_a_list": ([subtask("A") | {"title": ["A"]}], "subtasks[0].title"),
    "a_title_of_100_kB": ([subtask("A" * 100_000)], "subtasks[0].title"),
    "a_nul_in_a_title": ([subtask("A\x00B")], "subtasks[0].title"),
    "half_a_surrogate_pair": ([subtask("A\ud800")], "subtasks[0].title"),
    "an_unknown_field": ([subtask("A", deadline="today")], "subtasks[0].deadline"),
    "a_bad_complexity": ([subtask("A", complexity_level="heroic")], "subtasks[0].complexity_level"),
    "a_bad_priority": ([subtask("A", priority="11")], "subtasks[0].priority"),
    "a_cycle": (
        [subtask("A", dependencies=["B"]), subtask("B", dependencies=["A"])],
        "subtasks[0].dependencies",
    ),
    "a_cycle_through_a_group": (
        [
            subtask("A", dependencies=["G"]),
            {"title": "G", "description": "g", "subtasks": [subtask("B", dependencies=["A"])]},
        ],
        "subtasks[0].dependencies",
    ),
    "a_subtask_that_waits_for_its_group": (
        [{"title": "G", "description": "g", "key": "g", "subtasks": [subtask("B", dependencies=["g"])]}],
        "subtasks[0].dependencies",
    ),
    "a_self_dependency": ([subtask("A", dependencies=["A"])], "subtasks[0].dependencies[0]"),
    "a_dangling_dependency": (
        [subtask("A"), subtask("B", dependencies=["A", "nowhere"])],
        "subtasks[1].dependencies[1]",
    ),
    "a_duplicate_key": ([subtask("A", key="k"), subtask("B", key="k")], "subtasks[0].key"),
    "an_ambiguous_title": (
        [subtask("A"), subtask("A"), subtask("B", dependencies=["A"])],
        "subtasks[2].dependencies[0]",
    ),
}


@pytest.mark.parametrize("case", BAD_PLANS)
def test_a_plan_is_refused_with_the_place_of_the_mistake(ada: Assistant, case: str) -> None:
    subtasks, place = BAD_PLANS[case]
    error = ada.refused("plan_task", description="A job", subtasks=subtasks)
    assert error["code"] == "invalid"
    assert error["next"]
    assert error["details"]["problems"][0]["at"] == place


def test_several_mistakes_are_reported_together(ada: Assistant) -> None:
    error = ada.refused(
        "plan_task",
        description="",
        subtasks=[subtask("A", specialist_type="wizard"), subtask("", dependencies=["nowhere"])],
    )
    assert [problem["at"] for problem in error["details"]["problems"]] == [
        "description",
        "subtasks[0].specialist_type",
        "subtasks[1].title",
        "subtasks[1].dependencies[0]",
    ]


def test_a_mistake_comes_with_what_is_allowed(ada: Assistant) -> None:
    error = ada.refused("plan_task", description="A job", subtasks=[subtask("A", specialist_type="testr")])
    (problem,) = error["details"]["problems"]
    assert "did you mean 'tester'" in problem["problem"]
    assert problem["allowed"] == sorted(
        ["architect", "implementer", "debugger", "documenter", "reviewer", "tester", "researcher"]
    )


def test_an_unknown_argument_is_refused_with_the_allowed_names(ada: Assistant) -> None:
    error = ada.refused("get_status", verbose=True)
    (problem,) = error["details"]["problems"]
    assert problem["at"] == "verbose"
    assert "include_completed" in problem["allowed"]


@pytest.mark.parametrize("name", ["next_action", "artifact_type"])
def test_an_unknown_word_is_refused_with_the_known_ones(ada: Assistant, name: str) -> None:
    task = ada.plan("A")["A"]
    error = ada.refused("complete_subtask", **{**completion(task), name: "whatever"})
    (problem,) = error["details"]["problems"]
    assert problem["at"] == name
    assert len(problem["allowed"]) >= 4


@pytest.mark.parametrize("name", ["summary", "detailed_work"])
@pytest.mark.parametrize("text", ["", "  \n"])
def test_an_empty_delivery_is_refused(ada: Assistant, name: str, text: str) -> None:
    task = ada.plan("A")["A"]
    error = ada.refused("complete_subtask", **{**completion(task), name: text})
    assert error["code"] == "invalid"
    assert error["message"].startswith(name)


@pytest.mark.parametrize("missing", ["task_id", "summary"])
def test_a_missing_argument_is_named(ada: Assistant, missing: str) -> None:
    arguments = completion(ada.plan("A")["A"])
    del arguments[missing]
    error = ada.refused("complete_subtask", **arguments)
    assert error["details"]["problems"] == [{"at": missing, "problem": "is required"}]


def test_missing_work_is_named_with_both_ways_to_bring_it(ada: Assistant) -> None:
    arguments = completion(ada.plan("A")["A"])
    del arguments["detailed_work"]
    error = ada.refused("complete_subtask", **arguments)
    (problem,) = error["details"]["problems"]
    assert problem["at"] == "detailed_work" and "upload_ids" in problem["problem"]


def repaired(answer: dict[str, Any]) -> list[str]:
    """Return the names of the arguments that were repaired."""
    return [note.partition(":")[0] for note in answer["repaired"]]


def test_a_numeric_effort_is_converted_to_a_string(ada: Assistant) -> None:
    answer = ada.call("plan_task", description="A job", subtasks=[subtask("A", estimated_effort=3)])
    assert repaired(answer) == ["estimated_effort"]
    assert Task.objects.get(title="A").effort == "3"


def test_a_single_dependency_is_converted_to_a_list(ada: Assistant) -> None:
    answer = ada.call("plan_task", description="A job", subtasks=[subtask("A"), subtask("B", dependencies="A")])
    assert repaired(answer) == ["dependencies"]
    assert answer["subtasks"][1]["dependencies"] == [answer["subtasks"][0]["task_id"]]


@pytest.mark.parametrize("name", ["subtasks", "subtasks_json"])
def test_subtasks_in_a_json_string_are_parsed(ada: Assistant, name: str) -> None:
    text = '[{"title": "A", "description": "d", "specialist_type": "tester"}]'
    answer = ada.call("plan_task", description="A job", **{name: text})
    assert "subtasks" in repaired(answer)
    assert answer["subtasks_total"] == 1


def test_the_ancestors_task_id_of_a_subtask_is_taken_as_its_key(ada: Assistant) -> None:
    answer = ada.call(
        "plan_task",
        description="A job",
        subtasks=[subtask("A", task_id="a"), subtask("B", dependencies=["a"])],
    )
    assert repaired(answer) == ["task_id"]
    assert answer["subtasks"][1]["dependencies"] == [answer["subtasks"][0]["task_id"]]


def test_the_same_key_in_two_plans_is_no_conflict(ada: Assistant) -> None:
    for _ in range(2):
        ada.call("plan_task", description="A job", subtasks=[subtask("A", key="a")])
    assert Task.objects.filter(title="A").count() == 2


UNKNOWN = ["task_00000000", "x", "", "../../../../x", "/etc/passwd", "' OR 1=1 --", "task_" + "f" * 500, "тест"]


@pytest.mark.parametrize("public_id", [each for each in UNKNOWN if each])  # none means the default
@pytest.mark.parametrize("tool", ["execute_subtask", "complete_subtask", "get_status", "update_task"])
def test_an_unknown_task_is_not_found_and_nothing_is_stored(ada: Assistant, tool: str, public_id: str) -> None:
    ada.plan("A")
    more = {
        "complete_subtask": completion(public_id),
        "update_task": {"action": "cancel"},
    }.get(tool, {})
    assert ada.refused(tool, **{**more, "task_id": public_id})["code"] == "not_found"


@pytest.mark.parametrize("public_id", UNKNOWN)
def test_synthesis_of_an_unknown_plan_is_not_found(ada: Assistant, public_id: str) -> None:
    assert ada.refused("synthesize_results", parent_task_id=public_id)["code"] == "not_found"


@pytest.mark.parametrize("public_id", [*UNKNOWN, "artifact_00000000"])
def test_an_unknown_artifact_is_not_found(ada: Assistant, public_id: str) -> None:
    assert ada.refused("read_artifact", artifact_id=public_id)["code"] == "not_found"


def test_ids_of_another_project_are_not_found(ada: Assistant, tmp_path: Any) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    stranger = Assistant(elsewhere)
    ids = ada.plan("A")
    artifact = ada.complete(ids["A"])["artifact_info"]["artifact_id"]
    stranger.call("initialize_session")
    assert stranger.refused("get_status", task_id=ids["A"])["code"] == "not_found"
    assert stranger.refused("execute_subtask", task_id=ids["A"])["code"] == "not_found"
    assert stranger.refused("complete_subtask", **completion(ids["A"]))["code"] == "not_found"
    assert stranger.refused("update_task", task_id=ids["A"], action="cancel")["code"] == "not_found"
    assert stranger.refused("synthesize_results", parent_task_id=ids["plan"])["code"] == "not_found"
    assert stranger.refused("read_artifact", artifact_id=artifact)["code"] == "not_found"
    error = stranger.refused("plan_task", description="A job", subtasks=[subtask("B", dependencies=[ids["A"]])])
    assert error["details"]["problems"][0]["at"] == "subtasks[0].dependencies[0]"


HOSTILE_PATHS = {
    "../../../../../x": "x",
    "/etc/passwd": "etc/passwd",
    "C:\\Windows\\system32": "Windows/system32",
    "a/../../b": "b",
    "src//./main.py": "src/main.py",
}


@pytest.mark.parametrize("path", HOSTILE_PATHS)
def test_a_hostile_path_is_folded_under_the_artifacts_own_tree(ada: Assistant, path: str) -> None:
    ada.complete(ada.plan("A")["A"], file_paths=[path])
    assert [row.path for row in Artifact.objects.get().paths.all()] == [HOSTILE_PATHS[path]]


@pytest.mark.parametrize("path", ["a\x00b", "x" * 300, "a/" * 600 + "b", "..", "/", "a\nb"])
def test_a_path_that_cannot_be_is_refused_and_the_work_is_not_lost_in_silence(ada: Assistant, path: str) -> None:
    task = ada.plan("A")["A"]
    error = ada.refused("complete_subtask", **{**completion(task), "file_paths": ["good.py", path]})
    assert error["code"] == "invalid"
    assert error["details"]["problems"][0]["at"] == "file_paths[1]"


def test_every_one_of_several_paths_is_kept(ada: Assistant) -> None:
    ada.complete(ada.plan("A")["A"], file_paths=["src/a.py", "src/b.py", "src/ä/漢.py"])
    assert [row.path for row in Artifact.objects.get().paths.all()] == ["src/a.py", "src/b.py", "src/ä/漢.py"]


def test_work_of_5_MB_is_kept_whole(ada: Assistant) -> None:
    work = "0123456789abcdef" * (5 * 65_536)
    info = ada.complete(ada.plan("A")["A"], detailed_work=work)["artifact_info"]
    assert info["size_bytes"] == 5 * 1024 * 1024
    end = ada.call("read_artifact", artifact_id=info["artifact_id"], offset=len(work) - 3, limit=10)
    assert end["text"] == "def"


def test_work_above_the_limit_is_too_large(ada: Assistant, settings: Any) -> None:
    settings.ORCHESTRATOR_MAX_DELIVERY_BYTES = 1000
    task = ada.plan("A")["A"]
    assert ada.refused("complete_subtask", **{**completion(task), "detailed_work": "x" * 1001})["code"] == "too_large"
    assert ada.refused("complete_subtask", **{**completion(task), "detailed_work": "漢" * 334})["code"] == "too_large"
    ada.complete(task, detailed_work="漢" * 333)


def test_a_nul_in_the_work_is_kept(ada: Assistant) -> None:
    info = ada.complete(ada.plan("A")["A"], detailed_work="a\x00b")["artifact_info"]
    assert ada.call("read_artifact", artifact_id=info["artifact_id"])["text"] == "a\x00b"


def test_half_a_surrogate_pair_in_the_work_is_refused(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    error = ada.refused("complete_subtask", **{**completion(task), "detailed_work": "a\ud800"})
    assert error["code"] == "invalid"


def test_a_part_of_an_id_that_fits_one_task_is_taken_and_reported(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    part = task.partition("_")[2]
    answer = ada.call("execute_subtask", task_id=part)
    assert answer["task_id"] == task
    assert answer["repaired"] == [f"{part}: taken as {task}"]


def test_a_part_of_an_id_that_fits_several_is_a_conflict(ada: Assistant) -> None:
    ada.plan("A", "B")
    error = ada.refused("execute_subtask", task_id="implementer")
    assert error["code"] == "conflict"
    assert len(error["details"]["candidates"]) == 2


@pytest.mark.parametrize("cursor", ["x", "pending:x", "pending:", ":1", "active:" + "9" * 40])
def test_a_cursor_that_is_none_is_invalid(ada: Assistant, cursor: str) -> None:
    ids = ada.plan("A")
    assert ada.refused("get_status", cursor=cursor)["code"] == "invalid"
    assert ada.refused("get_status", cursor=cursor, task_id=ids["plan"])["code"] == "invalid"


@pytest.mark.parametrize("limit", [-1, 101, "many", [1]])
def test_a_limit_out_of_bounds_is_invalid(ada: Assistant, limit: Any) -> None:
    assert ada.refused("get_status", limit=limit)["code"] == "invalid"


@pytest.mark.parametrize(("offset", "limit"), [(-1, 1), (9, 1), (0, -1), (0, 10**9), (10**30, 1)])
def test_a_range_that_cannot_be_is_invalid(ada: Assistant, offset: int, limit: int) -> None:
    info = ada.complete(ada.plan("A")["A"])["artifact_info"]
    error = ada.refused("read_artifact", artifact_id=info["artifact_id"], offset=offset, limit=limit)
    assert error["code"] == "invalid"


def test_an_update_of_nothing_is_invalid(ada: Assistant) -> None:
    assert ada.refused("update_task", task_id=ada.plan("A")["A"])["code"] == "invalid"


def test_unknown_dependencies_of_an_update_are_named_together(ada: Assistant) -> None:
    error = ada.refused("update_task", task_id=ada.plan("A")["A"], add_dependencies=["no_such", "nor_this"])
    assert [problem["at"] for problem in error["details"]["problems"]] == ["add_dependencies[0]", "add_dependencies[1]"]


def test_deeply_nested_arguments_are_refused(ada: Assistant) -> None:
    nested: dict[str, Any] = subtask("A")
    for _ in range(3000):
        nested = {"title": "G", "description": "g", "subtasks": [nested]}
    assert ada.send("plan_task", description="A job", subtasks=[nested]).payload["code"] == "invalid"


def test_a_bad_project_folder_is_invalid(ada: Assistant) -> None:
    for folder in ("relative/path", "/no/such/folder", "\x00", "/" + "x" * 5000):
        error = ada.refused("initialize_session", project_dir=folder)
        assert error["code"] == "invalid"


def test_the_text_of_an_error_holds_no_path_or_sql(ada: Assistant, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_: Any) -> None:
        raise RuntimeError("SELECT secret FROM /etc/shadow")

    monkeypatch.setattr("tasks.tools.loop.claim_next", broken)
    error = ada.refused("execute_subtask")
    assert error["code"] == "transient"
    assert "secret" not in str(error)
    assert Task.objects.exclude(status=Status.PENDING).count() == 0


def test_null_for_an_argument_with_a_default_is_the_default(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    ada.call("get_status", limit=None, include_completed=None, detail=None, cursor=None)
    ada.complete(task, file_paths=None, artifact_type=None, reason=None, lease_number=None)


def test_an_error_stays_small_however_large_the_call(ada: Assistant) -> None:
    titles = [f"{number} " + "x" * 280 for number in range(30)]
    calls: list[dict[str, Any]] = [
        {"subtasks": [subtask(title, dependencies=["nowhere" * 1000]) for title in titles]},
        {"subtasks": [subtask("A", key="k" * 20_000)]},
        {"subtasks": [subtask("A", **{"n" * 20_000: 1})]},
        {"subtasks": [subtask("A")], "x" * 20_000: 1},
    ]
    for call in calls:
        outcome = ada.send("plan_task", description="A job", **call)
        assert outcome.is_error
        assert len(outcome.text.encode()) < 4096
    error = ada.refused("plan_task", description="A job", **calls[0])
    assert error["details"]["problems_total"] == 20


def test_a_repeated_repair_is_reported_once(ada: Assistant) -> None:
    subtasks = [{"title": f"T{n}", "description": "d", "specialist": "tester"} for n in range(50)]
    answer = ada.call("plan_task", description="A job", subtasks=subtasks)
    assert repaired(answer) == ["specialist"]
    assert "specialist_type (50 times)" in answer["repaired"][0]


@pytest.mark.parametrize("action", ["block", "cancel", "request_revision", "approve"])
def test_a_reason_has_a_limit(ada: Assistant, action: str) -> None:
    task = ada.plan("A")["A"]
    if action in ("request_revision", "approve"):
        ada.complete(task)
    assert ada.refused("update_task", task_id=task, action=action, reason="R" * 10_001)["code"] == "invalid"


def test_the_servers_own_home_is_no_project(ada: Assistant) -> None:
    for folder in ("~", "~nosuchuser/x"):
        assert ada.refused("initialize_session", project_dir=folder)["code"] == "invalid"


@pytest.mark.parametrize(
    ("subtasks", "limit"),
    [
        ("[" + "{}," * OBJECTS_LIMIT + "{}]", "limit_objects"),
        ("[" + "0," * VALUES_LIMIT + "0]", "limit_values"),
        ([subtask("G", subtasks="[" + "{}," * 999 + "{}]")] * (OBJECTS_LIMIT // 1000 + 1), "limit_objects"),
    ],
    ids=["objects", "values", "objects of many strings"],
)
def test_json_in_strings_costs_what_a_body_may(ada: Assistant, subtasks: Any, limit: str) -> None:
    error = ada.refused("plan_task", description="Job", subtasks=subtasks)
    assert (error["code"], list(error["details"])) == ("too_large", [limit])
    assert not Task.objects.exists()
