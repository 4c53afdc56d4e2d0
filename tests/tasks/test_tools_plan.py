"""orchestrator_plan_task: the whole tree at once, with everything that its tasks need to know."""

from __future__ import annotations

import json
import re
from typing import Any

from tasks.choices import Status
from tasks.models import Dependency, Event, Task
from tests.assistants import Assistant, subtask


def group(title: str, *subtasks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"title": title, "description": f"Do {title}", "subtasks": list(subtasks), **more}


def waits_for(title: str) -> set[str]:
    return set(Dependency.objects.filter(task__title=title).values_list("depends_on__title", flat=True))


def test_a_plan_answers_the_ids_of_its_tasks(ada: Assistant) -> None:
    answer = ada.call("plan_task", description="A job\nwith details", subtasks=[subtask("A", key="a"), subtask("B")])
    root = Task.objects.get(public_id=answer["parent_task_id"])
    assert (root.title, root.description, root.is_leaf) == ("A job", "A job\nwith details", False)
    assert [row["title"] for row in answer["subtasks"]] == ["A", "B"]
    assert answer["subtasks"][0]["key"] == "a"
    assert answer["subtasks_total"] == 2


def test_ids_say_what_they_name(ada: Assistant) -> None:
    ids = ada.plan("A")
    assert re.fullmatch(r"task_[0-9a-f]{8}", ids["plan"])
    assert re.fullmatch(r"implementer_[0-9a-f]{6}", ids["A"])


def test_dependencies_are_named_by_key_by_title_and_by_id(ada: Assistant) -> None:
    earlier = ada.plan("Earlier")["Earlier"]
    ada.call(
        "plan_task",
        description="A job",
        subtasks=[subtask("A", key="a"), subtask("B"), subtask("C", dependencies=["a", "B", earlier])],
    )
    assert waits_for("C") == {"A", "B", "Earlier"}


def test_a_subtask_may_wait_for_one_that_is_planned_after_it(ada: Assistant) -> None:
    ada.call("plan_task", description="A job", subtasks=[subtask("A", dependencies=["B"]), subtask("B")])
    assert waits_for("A") == {"B"}


def test_groups_hold_subtasks_at_any_depth(ada: Assistant) -> None:
    ada.call("plan_task", description="A job", subtasks=[group("G", group("H", group("I", subtask("A"))))])
    leaf = Task.objects.get(title="A")
    assert leaf.depth == 4
    assert [task.title for task in (leaf.parent, leaf.parent.parent, leaf.parent.parent.parent)] == ["I", "H", "G"]
    assert leaf.root.description == "A job"


def test_subtasks_inherit_what_their_groups_wait_for(ada: Assistant) -> None:
    ada.call(
        "plan_task",
        description="A job",
        subtasks=[
            subtask("A"),
            subtask("B"),
            group("G", subtask("C"), group("H", subtask("D"), dependencies=["B"]), dependencies=["A"]),
        ],
    )
    assert waits_for("C") == {"A"}
    assert waits_for("D") == {"A", "B"}
    inherited = Dependency.objects.get(task__title="D", depends_on__title="A")
    assert inherited.inherited_from is not None
    assert inherited.inherited_from.title == "G"


def test_a_plan_below_a_task_inherits_what_that_task_waits_for(ada: Assistant) -> None:
    answer = ada.call("plan_task", description="A job", subtasks=[subtask("A"), subtask("B", dependencies=["A"])])
    ada.call(
        "plan_task",
        description="Divide B",
        parent_task_id=answer["subtasks"][1]["task_id"],
        subtasks=[subtask("C")],
    )
    assert waits_for("C") == {"A"}
    assert ada.refused("execute_subtask", task_id=Task.objects.get(title="C").public_id)["code"] == "not_ready"


def test_the_holder_divides_its_task_and_the_parts_are_claimed_instead(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    ada.call("execute_subtask", task_id=task)
    ada.call("plan_task", description="Divide A", parent_task_id=task, subtasks=[subtask("B")])
    divided = Task.objects.get(public_id=task)
    assert (divided.is_leaf, divided.status, divided.lease_expires_at) == (False, Status.ACTIVE, None)
    assert ada.call("execute_subtask")["task_id"] == Task.objects.get(title="B").public_id
    ada.complete(Task.objects.get(title="B").public_id)
    divided.refresh_from_db()
    assert divided.status == Status.COMPLETED


def test_a_held_task_is_not_divided_by_another(ada: Assistant, bob: Assistant) -> None:
    task = ada.plan("A")["A"]
    ada.call("execute_subtask", task_id=task)
    error = bob.refused("plan_task", description="Divide A", parent_task_id=task, subtasks=[subtask("B")])
    assert error["code"] == "conflict"


def test_a_completed_task_is_not_divided(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    ada.complete(task)
    error = ada.refused("plan_task", description="Divide A", parent_task_id=task, subtasks=[subtask("B")])
    assert error["code"] == "conflict"


def test_more_work_reopens_a_finished_plan(ada: Assistant) -> None:
    ids = ada.plan("A")
    ada.complete(ids["A"])
    assert Task.objects.get(public_id=ids["plan"]).status == Status.COMPLETED
    ada.call("plan_task", description="More", parent_task_id=ids["plan"], subtasks=[subtask("B")])
    assert Task.objects.get(public_id=ids["plan"]).status == Status.ACTIVE


def test_a_circle_through_the_parent_is_refused(ada: Assistant) -> None:
    answer = ada.call("plan_task", description="A job", subtasks=[subtask("A"), subtask("B", dependencies=["A"])])
    a, b = (row["task_id"] for row in answer["subtasks"])
    error = ada.refused(
        "plan_task", description="Divide A", parent_task_id=a, subtasks=[subtask("C", dependencies=[b])]
    )
    assert error["code"] == "invalid"


def test_a_plan_that_waits_for_its_own_parent_is_refused(ada: Assistant) -> None:
    ids = ada.plan("A")
    error = ada.refused(
        "plan_task",
        description="More",
        parent_task_id=ids["plan"],
        subtasks=[subtask("B", dependencies=[ids["plan"]])],
    )
    assert error["code"] == "invalid"


def test_every_planned_task_has_its_event(ada: Assistant) -> None:
    ada.plan("A", "B")
    events = Event.objects.filter(verb="plan")
    assert events.count() == 3
    assert {event.actor_name for event in events} == {"ada"}


def test_priority_review_and_context_are_kept(ada: Assistant) -> None:
    ada.call(
        "plan_task",
        description="A job",
        complexity_level="complex",
        context="Python only",
        subtasks=[subtask("A", priority="urgent", review=True, context="Mind the dates", complexity_level="simple")],
    )
    task = Task.objects.get(title="A")
    assert (task.priority_word, task.requires_review, task.context, task.complexity) == (
        "urgent",
        True,
        "Mind the dates",
        "simple",
    )
    assert (task.root.context, task.root.complexity) == ("Python only", "complex")


def test_a_project_may_ask_for_review_of_everything(ada: Assistant) -> None:
    project = ada.caller.project()
    project.settings = {"review": True}
    project.save()
    ada.call("plan_task", description="A job", subtasks=[subtask("A"), subtask("B", review=False)])
    assert Task.objects.get(title="A").requires_review
    assert not Task.objects.get(title="B").requires_review


def test_the_answer_to_a_plan_of_500_stays_under_2_kB(ada: Assistant) -> None:
    outcome = ada.send(
        "plan_task", description="A job", subtasks=[subtask(f"Task number {n} " + "x" * 200) for n in range(500)]
    )
    assert len(outcome.text.encode()) < 2048
    assert outcome.payload["subtasks_total"] == 500
    assert outcome.payload["subtasks_not_shown"] == 500 - len(outcome.payload["subtasks"])


def test_a_plan_sent_twice_with_one_key_is_planned_once(ada: Assistant) -> None:
    call = {"description": "A job", "subtasks": [subtask("A")], "idempotency_key": "once"}
    first = ada.call("plan_task", **call)
    again = ada.call("plan_task", **call)
    assert again == {**json.loads(json.dumps(first)), "replayed": True}
    assert Task.objects.filter(title="A").count() == 1


def test_one_key_for_two_plans_is_a_conflict(ada: Assistant) -> None:
    ada.call("plan_task", description="A job", subtasks=[subtask("A")], idempotency_key="once")
    error = ada.refused("plan_task", description="Another", subtasks=[subtask("A")], idempotency_key="once")
    assert error["code"] == "conflict"


def test_a_refused_plan_does_not_use_its_key_up(ada: Assistant) -> None:
    ada.refused("plan_task", description="A job", subtasks=[subtask("")], idempotency_key="once")
    ada.call("plan_task", description="A job", subtasks=[subtask("A")], idempotency_key="once")


def test_a_key_that_is_too_long_is_invalid(ada: Assistant) -> None:
    error = ada.refused("plan_task", description="A job", subtasks=[subtask("A")], idempotency_key="k" * 201)
    assert error["code"] == "invalid"


def test_a_blank_key_counts_as_none_and_the_answer_says_so(ada: Assistant) -> None:
    made = [ada.call("plan_task", description="A job", subtasks=[subtask("A")], idempotency_key=" ") for _ in range(2)]
    assert made[0]["parent_task_id"] != made[1]["parent_task_id"]
    assert all("idempotency_key" in str(each["repaired"]) for each in made)


def test_more_than_2000_subtasks_are_refused(ada: Assistant) -> None:
    error = ada.refused("plan_task", description="A job", subtasks=[subtask(f"T{n}") for n in range(2001)])
    assert error["code"] == "invalid"


def test_a_plan_with_mistakes_says_once_that_nothing_was_changed(ada: Assistant) -> None:
    problem = ada.refused("plan_task", description="A job", subtasks=[subtask("One", dependencies=["Nine"])])
    assert problem["code"] == "invalid"
    assert problem["next"].count("Nothing") == 1
