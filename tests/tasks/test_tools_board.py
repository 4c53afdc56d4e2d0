"""orchestrator_get_status and orchestrator_update_task: the board seen truly, and steered."""

from __future__ import annotations

from typing import Any

from tasks.choices import Status
from tasks.models import Event, Task
from tests.assistants import Assistant, completion, subtask


def all_pages(assistant: Assistant, **arguments: Any) -> list[str]:
    """Read a list to its end, and return the ids."""
    ids: list[str] = []
    answer = assistant.call("get_status", **arguments)
    while True:
        ids += [row["task_id"] for row in answer.get("tasks", [])]
        if "cursor" not in answer:
            return ids
        answer = assistant.call("get_status", **arguments, cursor=answer["cursor"])


def test_counts_are_true_whatever_is_shown(ada: Assistant) -> None:
    ids = ada.plan("A", "B", "C")
    ada.complete(ids["A"])
    answer = ada.call("get_status", limit=1)
    assert answer["counts"] == {"pending": 2, "completed": 1}
    assert answer["total"] == 2
    assert len(answer["tasks"]) == 1


def test_completed_tasks_are_shown_when_asked_for(ada: Assistant) -> None:
    ids = ada.plan("A", "B")
    ada.complete(ids["A"])
    assert all_pages(ada) == [ids["B"]]
    assert all_pages(ada, include_completed=True) == [ids["B"], ids["A"]]
    assert all_pages(ada, status="completed") == [ids["A"]]


def test_what_needs_attention_comes_first(ada: Assistant) -> None:
    ids = ada.plan("A", "B", "C", "D")
    ada.call("execute_subtask", task_id=ids["D"])
    ada.call("update_task", task_id=ids["C"], action="block", reason="x")
    assert all_pages(ada) == [ids["D"], ids["C"], ids["A"], ids["B"]]


def test_pages_hold_every_task_once(ada: Assistant) -> None:
    ids = ada.plan(*[f"T{n}" for n in range(25)])
    del ids["plan"]
    assert len(set(ids.values())) <= 25
    wanted = [task.public_id for task in Task.objects.filter(is_leaf=True).order_by("id")]
    assert all_pages(ada, limit=4) == wanted
    plan = Task.objects.get(parent=None).public_id
    assert all_pages(ada, limit=4, task_id=plan) == wanted


def test_a_default_answer_stays_under_2_kB(ada: Assistant) -> None:
    ada.call("plan_task", description="A job", subtasks=[subtask(f"漢字 title {n} " + "漢" * 250) for n in range(100)])
    plan = Task.objects.get(parent=None).public_id
    assert len(ada.send("get_status").text.encode()) < 2048
    assert len(ada.send("get_status", limit=100).text.encode()) < 2048
    assert len(ada.send("get_status", task_id=plan, limit=100).text.encode()) < 2048
    assert len(all_pages(ada, limit=100)) == 100


def test_filters_by_specialist_count_only_that_specialist(ada: Assistant) -> None:
    ada.call("plan_task", description="A job", subtasks=[subtask("A"), subtask("B", specialist_type="tester")])
    answer = ada.call("get_status", specialist_type="tester")
    assert answer["counts"] == {"pending": 1}
    assert [row["title"] for row in answer["tasks"]] == ["B"]


def test_the_tree_of_a_plan_shows_groups_and_depth(ada: Assistant) -> None:
    ada.call(
        "plan_task",
        description="A job",
        subtasks=[{"title": "G", "description": "g", "subtasks": [subtask("A")]}, subtask("B")],
    )
    plan = Task.objects.get(parent=None).public_id
    answer = ada.call("get_status", task_id=plan)
    assert [(row["title"], row.get("depth", 1)) for row in answer["tasks"]] == [("G", 1), ("A", 2), ("B", 1)]
    assert answer["total_subtasks"] == 2
    group = Task.objects.get(title="G").public_id
    inner = ada.call("get_status", task_id=group)
    assert [row["title"] for row in inner["tasks"]] == ["A"]
    assert inner["total_subtasks"] == 1


def test_one_task_shows_what_it_waits_for_and_what_waits_for_it(ada: Assistant) -> None:
    made = ada.call(
        "plan_task",
        description="A job",
        subtasks=[subtask("A"), subtask("B", dependencies=["A"]), subtask("C", dependencies=["B"])],
    )
    a, b, c = (row["task_id"] for row in made["subtasks"])
    answer = ada.call("get_status", task_id=b)
    assert answer["waits_for"] == [{"task_id": a, "status": "pending"}]
    assert answer["needed_by"] == [{"task_id": c, "status": "pending"}]


def test_detail_full_shows_descriptions(ada: Assistant) -> None:
    ada.plan("A")
    (row,) = ada.call("get_status", detail="full")["tasks"]
    assert row["description"] == "Do A"
    assert row["priority"] == "normal"


def test_an_edit_changes_what_is_sent_and_nothing_else(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    answer = ada.call("update_task", task_id=task, title="Better", priority="high")
    assert sorted(answer["changed"]) == ["priority", "title"]
    row = Task.objects.get(public_id=task)
    assert (row.title, row.priority_word, row.description) == ("Better", "high", "Do A")
    event = Event.objects.filter(verb="edit").get()
    assert event.before == {"title": "A", "priority": 2}
    assert event.after == {"title": "Better", "priority": 3}


def test_a_specialist_can_be_changed_to_a_known_one_only(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    assert ada.refused("update_task", task_id=task, specialist_type="wizard")["code"] == "invalid"
    ada.call("update_task", task_id=task, specialist_type="tester")
    assert Task.objects.get(public_id=task).specialist == "tester"


def test_an_edit_and_an_action_hold_together_or_not_at_all(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    assert ada.refused("update_task", task_id=task, title="Better", action="approve")["code"] == "conflict"
    assert Task.objects.get(public_id=task).title == "A"


def test_dependencies_are_added_and_removed(ada: Assistant) -> None:
    ids = ada.plan("A", "B")
    ada.call("update_task", task_id=ids["B"], add_dependencies=[ids["A"]])
    assert ada.refused("execute_subtask", task_id=ids["B"])["code"] == "not_ready"
    assert ada.refused("update_task", task_id=ids["A"], add_dependencies=[ids["B"]])["code"] == "invalid"
    ada.call("update_task", task_id=ids["B"], remove_dependencies=[ids["A"]])
    ada.call("execute_subtask", task_id=ids["B"])
    assert ada.refused("update_task", task_id=ids["B"], remove_dependencies=[ids["A"]])["code"] == "conflict"


def test_what_is_added_to_a_group_holds_for_its_subtasks(ada: Assistant) -> None:
    ada.call(
        "plan_task",
        description="A job",
        subtasks=[subtask("A"), {"title": "G", "description": "g", "subtasks": [subtask("B")]}],
    )
    a, g, b = (Task.objects.get(title=title).public_id for title in "AGB")
    ada.call("update_task", task_id=g, add_dependencies=[a])
    assert ada.refused("execute_subtask", task_id=b)["code"] == "not_ready"
    ada.call("update_task", task_id=g, remove_dependencies=[a])
    ada.call("execute_subtask", task_id=b)


def test_a_cancel_lists_what_still_waits(ada: Assistant) -> None:
    made = ada.call("plan_task", description="A job", subtasks=[subtask("A"), subtask("B", dependencies=["A"])])
    a, b = (row["task_id"] for row in made["subtasks"])
    answer = ada.call("update_task", task_id=a, action="cancel", reason="Not needed")
    assert answer["still_waiting"] == [{"task_id": b, "status": "pending"}]
    assert Task.objects.get(public_id=a).reason == "Not needed"


def test_a_cancelled_task_is_reopened_and_edited_in_one_call(ada: Assistant) -> None:
    ids = ada.plan("A", "B")
    ada.call("update_task", task_id=ids["plan"], action="cancel")
    answer = ada.call("update_task", task_id=ids["A"], action="reopen", title="Again")
    assert (answer["status"], answer["changed"], answer["reopened_total"]) == ("pending", ["title"], 1)
    assert Task.objects.get(public_id=ids["plan"]).status == Status.PENDING
    assert Task.objects.get(public_id=ids["B"]).status == Status.CANCELLED


def test_cancelling_every_subtask_cancels_the_plan(ada: Assistant) -> None:
    ids = ada.plan("A", "B")
    ada.call("update_task", task_id=ids["A"], action="cancel")
    ada.call("update_task", task_id=ids["B"], action="cancel")
    assert Task.objects.get(public_id=ids["plan"]).status == Status.CANCELLED


def test_an_approval_says_what_it_unblocked(ada: Assistant, bob: Assistant) -> None:
    made = ada.call(
        "plan_task", description="A job", subtasks=[subtask("A", review=True), subtask("B", dependencies=["A"])]
    )
    a, b = (row["task_id"] for row in made["subtasks"])
    assert ada.complete(a)["status"] == "in_review"
    answer = bob.call("update_task", task_id=a, action="approve")
    assert [row["task_id"] for row in answer["unblocked"]] == [b]


def test_a_revision_says_what_was_built_on_the_work(ada: Assistant) -> None:
    made = ada.call("plan_task", description="A job", subtasks=[subtask("A"), subtask("B", dependencies=["A"])])
    a, b = (row["task_id"] for row in made["subtasks"])
    ada.complete(a)
    ada.call("execute_subtask", task_id=b)
    answer = ada.call("update_task", task_id=a, action="request_revision", reason="Fix it")
    assert answer["built_on_it"] == [{"task_id": b, "status": "active"}]


def test_an_update_sent_twice_with_one_key_is_done_once(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    for _ in range(2):
        ada.call("update_task", task_id=task, action="block", reason="x", idempotency_key="k")
    assert Event.objects.filter(verb="block").count() == 1
    assert ada.refused("update_task", task_id=task, action="unblock", idempotency_key="k")["code"] == "conflict"


def test_detail_full_of_a_task_shows_all_of_it(ada: Assistant) -> None:
    title, description = "T" * 290, "line\n" * 2000
    ada.call("plan_task", description="A job", subtasks=[subtask(title) | {"description": description}])
    task = Task.objects.get(title=title).public_id
    answer = ada.call("get_status", task_id=task, detail="full")
    assert (answer["title"], answer["description"]) == (title, description)
    assert len(ada.send("get_status", task_id=task).text.encode()) < 2048


def test_what_is_not_shown_of_a_task_is_counted(ada: Assistant) -> None:
    titles = [f"T{n}" for n in range(15)]
    ada.call("plan_task", description="A job", subtasks=[*map(subtask, titles), subtask("Last", dependencies=titles)])
    task = Task.objects.get(title="Last").public_id
    answer = ada.call("get_status", task_id=task)
    assert (len(answer["waits_for"]), answer["waits_for_total"]) == (5, 15)
    assert len(ada.call("get_status", task_id=task, detail="full")["waits_for"]) == 15


def test_a_group_says_what_it_is_and_where_it_belongs(ada: Assistant) -> None:
    ada.call(
        "plan_task",
        description="A job",
        subtasks=[{"title": "G", "description": "g", "subtasks": [subtask("A")]}],
    )
    group = Task.objects.get(title="G")
    answer = ada.call("get_status", task_id=group.public_id)
    assert (answer["task_id"], answer["parent_task_id"]) == (group.public_id, Task.objects.get(parent=None).public_id)


def test_work_is_sent_back_and_described_again_in_one_call(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    ada.complete(task)
    ada.call("update_task", task_id=task, action="request_revision", reason="Fix it", description="Do A better")
    row = Task.objects.get(public_id=task)
    assert (row.status, row.description) == ("needs_revision", "Do A better")


def test_blocked_rows_say_why(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    ada.call("update_task", task_id=task, action="block", reason="No access")
    (row,) = ada.call("get_status", status="blocked")["tasks"]
    assert row["reason"] == "No access"


def test_one_task_stays_under_2_kB_in_any_script(ada: Assistant) -> None:
    titles = [f"{n}" + "漢" * 250 for n in range(15)]
    last = subtask("漢" * 300, dependencies=titles) | {"description": "漢" * 5000}
    after = [subtask(f"after {n}", dependencies=["漢" * 300]) for n in range(15)]
    ada.call("plan_task", description="A job", subtasks=[*map(subtask, titles), last, *after])
    for title in titles:
        ada.complete(Task.objects.get(title=title).public_id)
    task = Task.objects.get(title="漢" * 300).public_id
    done = ada.send("complete_subtask", **completion(task) | {"summary": "漢" * 5000})
    assert len(done.text.encode()) < 2048
    ada.call("update_task", task_id=task, action="request_revision", reason="漢" * 5000)
    assert len(ada.send("get_status", task_id=task).text.encode()) < 2048
