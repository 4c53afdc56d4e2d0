"""Lists over REST: pages that stay right while rows change, orders, filters, and how little they ask the database."""

from __future__ import annotations

import itertools
from base64 import urlsafe_b64encode
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from tasks.choices import Priority
from tasks.models import Project, Task
from tests.factories import make_dependency, make_plan, make_project, make_task
from tests.rest import Rest, rest

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> Rest:
    client = rest()
    client.get("/projects")  # notes that the token was used, which is not a list's own question
    return client


@pytest.fixture
def project() -> Project:
    return make_project("shop")


def pages(client: Rest, address: str) -> list[list[str]]:
    """Follow a list to its end."""
    found: list[list[str]] = []
    following: str | None = address
    while following:
        page = client.get(following)
        found.append([row["task_id"] for row in page["results"]])
        following = page["next"]
    return found


def shown(client: Rest, query: str, address: str = "/tasks") -> set[str]:
    return {row["title"] for row in client.get(f"{address}?{query}")["results"]}


def test_pages_hold_every_row_once_whatever_the_order(ada: Rest, project: Project) -> None:
    plan = make_plan(project, 10)
    for number, task in enumerate(Task.objects.filter(parent=plan)):
        Task.objects.filter(pk=task.pk).update(
            priority=number % 4 + 1, updated_at=timezone.now() - timedelta(hours=number // 3)
        )
    for name, sign in itertools.product(("created_at", "updated_at", "priority", "position"), ("", "-")):
        found = pages(ada, f"/tasks?limit=4&ordering={sign}{name}")
        assert [len(page) for page in found] == [4, 4, 3]
        assert len(set(itertools.chain(*found))) == 11


def test_an_order_is_kept_over_the_pages(ada: Rest, project: Project) -> None:
    plan = make_plan(project, 9)
    for number, task in enumerate(Task.objects.filter(parent=plan)):
        Task.objects.filter(pk=task.pk).update(priority=number % 3 + 1)
    found = list(itertools.chain(*pages(ada, f"/tasks?limit=2&ordering=-priority&parent={plan.public_id}")))
    rank = {task.public_id: (-task.priority, -task.pk) for task in Task.objects.filter(parent=plan)}
    assert found == sorted(rank, key=lambda task_id: rank[task_id])


def test_the_way_back_shows_the_same_pages(ada: Rest, project: Project) -> None:
    make_plan(project, 6)
    first = ada.get("/tasks?limit=3")
    second = ada.get(first["next"])
    third = ada.get(second["next"])
    assert (first["previous"], third["next"]) == (None, None)
    assert ada.get(third["previous"])["results"] == second["results"]
    back = ada.get(ada.get(third["previous"])["previous"])
    assert (back["results"], back["previous"]) == (first["results"], None)


def test_rows_that_come_and_change_between_pages_move_no_other_row(ada: Rest, project: Project) -> None:
    plan = make_plan(project, 6)
    expected = [task.public_id for task in Task.objects.order_by("-updated_at", "-pk")]
    page = ada.get("/tasks?limit=3&ordering=-updated_at")
    seen = [row["task_id"] for row in page["results"]]
    make_task(project, parent=plan)
    Task.objects.filter(public_id=seen[0]).update(updated_at=timezone.now())
    Task.objects.filter(public_id=seen[2]).delete()
    while page["next"]:
        page = ada.get(page["next"])
        seen += [row["task_id"] for row in page["results"]]
    assert seen == expected


def cursor(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "given",
    [
        "",
        "x",
        "é",
        "=" * 5,
        "A" * 1000,
        cursor("[]"),
        cursor('["-created_at", false, 1]'),
        cursor('["-created_at", false, 1, "1"]'),
        cursor('["-created_at", 0, 1, 1]'),
        cursor('["-created_at", false, "x", 1]'),
        cursor('["-created_at", false, 1, 99999999999999999999]'),
        cursor('["-created_at", false, null, 1]'),
        cursor('["priority", false, 1, 1]'),
        cursor("[" * 200),
    ],
)
def test_a_cursor_that_is_none_is_refused(ada: Rest, given: str) -> None:
    assert "cursor" in ada.refused(400, "GET", f"/tasks?cursor={given}")["detail"]


@pytest.mark.parametrize(
    ("ordering", "value"),
    [
        ("priority", "Infinity"),
        ("-updated_at", '"0001-01-01T00:00:00+14:00"'),
        ("-updated_at", '"9999-12-31T23:59:59-14:00"'),
    ],
)
def test_a_cursor_at_a_place_that_cannot_be_is_refused(ada: Rest, ordering: str, value: str) -> None:
    given = cursor(f'["{ordering}", false, {value}, 1]')
    assert "cursor" in ada.refused(400, "GET", f"/tasks?ordering={ordering}&cursor={given}")["detail"]


@pytest.mark.parametrize("value", [r"\u0000", r"\ud800"])
def test_a_cursor_of_a_name_that_cannot_be_stored_is_refused(ada: Rest, value: str) -> None:
    given = cursor(f'["name", false, "{value}", 1]')
    assert "cursor" in ada.refused(400, "GET", f"/projects?cursor={given}")["detail"]


@pytest.mark.parametrize("address", ["/projects?search=", "/artifacts?path="])
def test_a_text_too_long_for_any_pattern_is_refused(ada: Rest, address: str) -> None:
    ada.refused(400, "GET", address + "x" * 60_000)


def test_a_cursor_belongs_to_its_order(ada: Rest, project: Project) -> None:
    make_plan(project, 3)
    following = ada.get("/tasks?limit=1&ordering=priority")["next"]
    ada.refused(400, "GET", following.replace("ordering=priority", "ordering=-priority"))


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "", "1.5", "٣", "9" * 30])
def test_a_limit_out_of_bounds_is_refused(ada: Rest, limit: str) -> None:
    assert "limit" in ada.refused(400, "GET", f"/tasks?limit={limit}")["detail"]


def test_an_order_that_is_not_offered_is_refused_with_those_that_are(ada: Rest) -> None:
    (wrong,) = ada.refused(400, "GET", "/tasks?ordering=project__root_path")["problems"]
    assert "-updated_at" in wrong["allowed"]


@pytest.fixture
def board(project: Project) -> dict[str, Task]:
    plan = make_task(project, is_leaf=False, title="Plan")
    group = make_task(project, parent=plan, is_leaf=False, title="Group", specialist="", position=1)
    rows: dict[str, dict[str, Any]] = {
        "Ready": {"is_ready": True, "priority": Priority.URGENT, "specialist": "tester"},
        "Waits": {"description": "needs a 100% sure answer"},
        "Active": {"status": "active"},
        "Done": {"status": "completed", "archived_at": timezone.now()},
    }
    made = {title: make_task(project, parent=group, title=title, **fields) for title, fields in rows.items()}
    make_dependency(made["Waits"], made["Ready"])
    make_task(make_project("ledger"), title="Elsewhere")
    return {"Plan": plan, "Group": group, **made}


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("", {"Plan", "Group", "Ready", "Waits", "Active", "Elsewhere"}),
        ("project=shop", {"Plan", "Group", "Ready", "Waits", "Active"}),
        ("project=nowhere", set()),
        ("status=active", {"Active"}),
        ("status=active,pending&project=shop&is_leaf=true", {"Ready", "Waits", "Active"}),
        ("status=active&status=pending&is_leaf=false", {"Plan", "Group"}),
        ("specialist_type=tester", {"Ready"}),
        ("is_ready=true", {"Ready"}),
        ("priority=urgent", {"Ready"}),
        ("priority=urgent,normal&is_leaf=true&project=shop", {"Ready", "Waits", "Active"}),
        ("plan={Plan}", {"Plan", "Group", "Ready", "Waits", "Active"}),
        ("plan={Group}", set()),
        ("parent={Group}", {"Ready", "Waits", "Active"}),
        ("parent=task_00000000", set()),
        ("waits_for={Ready}", {"Waits"}),
        ("archived=true", {"Done"}),
        ("archived=any&status=completed", {"Done"}),
        ("archived=false&status=completed", set()),
        ("search=100%25", {"Waits"}),
        ("search=elsewh", {"Elsewhere"}),
        ("search={Ready}", {"Ready"}),
    ],
)
def test_filters_keep_what_fits(ada: Rest, board: dict[str, Task], query: str, titles: set[str]) -> None:
    assert shown(ada, query.format(**{name: task.public_id for name, task in board.items()})) == titles


def test_what_changed_since_is_found(ada: Rest, board: dict[str, Task]) -> None:
    moment = timezone.now()
    Task.objects.filter(pk=board["Waits"].pk).update(updated_at=moment + timedelta(seconds=1))
    assert shown(ada, f"updated_after={moment.isoformat().replace('+', '%2B')}") == {"Waits"}


@pytest.mark.parametrize(
    "query",
    [
        "status=done",
        "status=%25s",
        "priority=1",
        "is_leaf=yes",
        "archived=maybe",
        "updated_after=yesterday",
        "updated_after=99999-01-01",
        "updated_after=0001-01-01T00:00:00%2B14:00",
        "updated_after=9999-12-31T23:59:59-14:00",
        f"search={'x' * 201}",
    ],
)
def test_a_value_that_no_filter_understands_is_refused(ada: Rest, query: str) -> None:
    name = query.partition("=")[0]
    assert ada.refused(400, "GET", f"/tasks?{query}")["problems"][0]["at"] == name


def test_a_word_that_is_not_known_comes_with_those_that_are(ada: Rest) -> None:
    (wrong,) = ada.refused(400, "GET", "/tasks?status=done")["problems"]
    assert "completed" in wrong["allowed"]


def test_rows_leave_long_texts_out_and_nothing_else(ada: Rest, board: dict[str, Task]) -> None:
    row = ada.get("/tasks?status=active")["results"][0]
    whole = ada.get(f"/tasks/{row['task_id']}")
    assert row.items() <= whole.items()
    assert {"description", "context", "summary", "review_comment"} <= whole.keys() - row.keys()


def test_plans_come_with_their_progress(ada: Rest, board: dict[str, Task]) -> None:
    (plan,) = ada.get("/plans?project=shop")["results"]
    assert plan["progress"] == {
        "completed_subtasks": 0,
        "total_subtasks": 3,
        "progress_percentage": 0,
        "counts": {"pending": 2, "active": 1},
    }


@pytest.mark.parametrize(("address", "queries"), [("/tasks", 1), ("/plans", 2), ("/projects", 1), ("/sessions", 1)])
def test_a_list_asks_as_little_for_many_rows_as_for_few(
    ada: Rest, project: Project, address: str, queries: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(5):
        make_plan(make_project(), 5)
    with django_assert_num_queries(queries + 1):  # who asks is one more
        ada.get(address)
    plan = make_plan(project, 30)
    task = Task.objects.filter(parent=plan).first()
    assert task is not None
    for other in Task.objects.filter(parent=plan).exclude(pk=task.pk):
        make_dependency(task, other)
    with django_assert_num_queries(queries + 1):
        ada.get(address)


def test_the_dependencies_of_a_task_are_one_question(
    ada: Rest, project: Project, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    plan = make_plan(project, 30)
    first, *others = Task.objects.filter(parent=plan)
    for other in others:
        make_dependency(first, other, inherited_from=plan)
    with django_assert_num_queries(3):  # who asks, the task, its dependencies
        assert len(ada.get(f"/tasks/{first.public_id}/dependencies")["results"]) == 29
