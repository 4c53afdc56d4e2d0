"""Which earlier work a delivery is the next version of, and versions that are read everywhere."""

from __future__ import annotations

import pytest
from django.db import transaction

from artifacts import storage
from artifacts.models import Artifact
from artifacts.services.store import store_artifact
from tasks.identity.actor import Actor
from tasks.models import Task
from tasks.services.claim import locked
from tests.factories import make_project, make_task

pytestmark = pytest.mark.django_db


@pytest.fixture
def task() -> Task:
    return make_task(make_project("shop"))


def deliver(task: Task, *paths: str, text: str = "x") -> tuple[str, int]:
    """Deliver and return the artifact's id and the version's number."""
    with transaction.atomic():
        version = store_artifact(
            task=locked(task), actor=Actor(kind="system", name="x"), prepared=storage.prepare(text), paths=paths
        )
    return version.artifact.public_id, version.number


def paths_of(public_id: str) -> list[str]:
    return [path.path for path in Artifact.objects.get(public_id=public_id).paths.all()]


def test_the_same_paths_in_any_order_are_the_next_version(task: Task) -> None:
    first, _ = deliver(task, "a", "b")
    assert deliver(task, "b", "a") == (first, 2)
    assert paths_of(first) == ["a", "b"]


def test_works_without_a_path_are_versions_of_one(task: Task) -> None:
    first, _ = deliver(task)
    assert deliver(task) == (first, 2)
    assert deliver(task, "a")[0] != first


def test_all_paths_of_an_earlier_work_and_more_are_its_next_version_at_all_of_them(task: Task) -> None:
    first, _ = deliver(task, "a")
    assert deliver(task, "a", "b") == (first, 2)
    assert paths_of(first) == ["a", "b"]


def test_only_some_paths_of_an_earlier_work_are_a_work_of_their_own(task: Task) -> None:
    first, _ = deliver(task, "a", "b")
    second, number = deliver(task, "b")
    assert second != first and number == 1
    third, _ = deliver(task, "b", "c")
    assert third == second, "all paths of the second, and more"
    assert deliver(task, "c", "d")[0] not in (first, second)


def test_the_paths_of_two_earlier_works_are_a_work_of_their_own(task: Task) -> None:
    first, second = deliver(task, "a")[0], deliver(task, "b")[0]
    third, number = deliver(task, "a", "b")
    assert third not in (first, second) and number == 1
    assert deliver(task, "a", "b") == (third, 2)


def test_another_task_that_delivers_the_path_has_a_work_of_its_own(task: Task) -> None:
    first, _ = deliver(task, "a")
    second, number = deliver(make_task(task.project), "a")
    assert second != first and number == 1
