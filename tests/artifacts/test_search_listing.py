"""orchestrator_list_artifacts: of a project, a task, a plan, a file or a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.assistants import Assistant


def listed(ada: Assistant, **more: Any) -> list[str]:
    return [row["artifact_id"] for row in ada.call("list_artifacts", **more).get("artifacts", [])]


def deliver(ada: Assistant, task: str, **more: Any) -> str:
    return str(ada.complete(task, **more)["artifact_info"]["artifact_id"])


def test_the_newest_comes_first_with_what_is_known_of_it(ada: Assistant) -> None:
    ids = ada.plan("A", "B")
    first = deliver(ada, ids["A"], detailed_work="größer", file_paths=["src/a.py"], artifact_type="code", summary="One")
    second = deliver(ada, ids["B"])
    answer = ada.call("list_artifacts")
    assert (answer["total"], [row["artifact_id"] for row in answer["artifacts"]]) == (2, [second, first])
    assert answer["artifacts"][1] == {
        "artifact_id": first,
        "task_id": ids["A"],
        "kind": "code",
        "size_chars": 6,
        "file_paths": ["src/a.py"],
        "summary": "One",
    }


def test_a_plan_is_for_all_that_is_below_it(ada: Assistant) -> None:
    one, two = ada.plan("A", "B"), ada.plan("C")
    works = {name: deliver(ada, task) for name, task in (one | two).items() if name != "plan"}
    assert listed(ada, task_id=one["plan"]) == [works["B"], works["A"]]
    assert listed(ada, task_id=one["A"]) == [works["A"]]
    assert listed(ada, task_id=two["plan"]) == [works["C"]]


def test_a_path_is_a_file_or_a_folder(ada: Assistant) -> None:
    ids = ada.plan("A", "B", "C")
    one = deliver(ada, ids["A"], file_paths=["src/app/main.py", "docs/a.md"])
    two = deliver(ada, ids["B"], file_paths=["src/application.py"])
    three = deliver(ada, ids["C"], file_paths=["SRC/app/other.py"])
    assert listed(ada, path="src/app") == listed(ada, path="/src/app/") == listed(ada, path="docs/a.md") == [one]
    assert listed(ada, path="src") == [two, one]
    assert listed(ada, path="SRC/app") == [three]
    assert listed(ada, path="src/%") == listed(ada, path="app") == []
    assert ada.refused("list_artifacts", path="..")["code"] == "invalid"


def test_kinds_narrow_it(ada: Assistant) -> None:
    ids = ada.plan("A", "B")
    code = deliver(ada, ids["A"], artifact_type="code")
    deliver(ada, ids["B"], artifact_type="design")
    assert listed(ada, kinds=["code", "test"]) == [code]


@pytest.mark.parametrize("path", [{}, {"path": "src"}])
def test_pages_show_each_once_in_small_answers(ada: Assistant, path: dict[str, str]) -> None:
    ids = ada.plan(*map(str, range(25)))
    made = [
        deliver(
            ada, ids[str(number)], file_paths=[f"src/{number}/{'p' * 150}/{n}" for n in range(9)], summary="s" * 999
        )
        for number in range(25)
    ]
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        outcome = ada.send("list_artifacts", **path, **cursor)
        assert len(outcome.text.encode()) < 2000
        answer = outcome.payload
        assert (answer["total"], answer["artifacts"][0]["file_paths_total"]) == (25, 9)
        seen += [row["artifact_id"] for row in answer["artifacts"]]
        if "cursor" not in answer:
            break
        cursor = {"cursor": answer["cursor"]}
    assert seen == made[::-1]
    assert ada.refused("list_artifacts", cursor="x")["code"] == "invalid"


def test_an_artifact_that_is_delivered_again_is_reported_with_its_version(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    deliver(ada, task, detailed_work="One")
    ada.call("update_task", task_id=task, action="request_revision", reason="Fix it")
    deliver(ada, task, detailed_work="Three")
    (row,) = ada.call("list_artifacts")["artifacts"]
    assert (row["version"], row["size_chars"]) == (2, 5)


def test_another_project_sees_none_of_it(ada: Assistant, tmp_path: Path) -> None:
    ids = ada.plan("A")
    deliver(ada, ids["A"], file_paths=["a.py"])
    (tmp_path / "other").mkdir()
    eve = Assistant(tmp_path / "other")
    eve.call("initialize_session")
    assert eve.call("list_artifacts")["total"] == eve.call("list_artifacts", path="a.py")["total"] == 0
    assert eve.refused("list_artifacts", task_id=ids["A"])["code"] == "not_found"
