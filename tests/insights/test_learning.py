"""Learning from events: counts of what was planned, exactly taken back, the same when everything is learned again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone
from pytest_django import Settings

from maintenance.services.import_plan import import_plan
from maintenance.services.purge import export_of, purge
from tasks.choices import Verb
from tasks.events import record
from tasks.insights.choices import Method
from tasks.insights.models import Lesson, Reader, Score, SpecialistCount, Suggestion, WordCount
from tasks.insights.routing.words import LIMIT
from tasks.insights.services.learn import SOON, _Pupil, catch_up, learn, learn_all
from tasks.insights.services.suggestions import suggest
from tasks.models import Event, Project, Task
from tasks.services.archive import restore
from tasks.services.steer import cancel, reopen
from tests.factories import make_plan, make_project
from tests.insights.teaching import ADA, Given, counts_of, edited, forgotten, history, learned, planned, scores_of
from tests.maintenance.test_purge import put_away

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project("shop")


def again(project: Project, limit: int = 500) -> tuple[object, object]:
    forgotten(project)
    learned(project, limit)
    return counts_of(project), scores_of(project)


def test_a_planned_task_teaches_its_words_for_its_specialist(project: Project) -> None:
    [task] = planned(project, ("Test the upload", "tester"))
    learned(project)
    assert Lesson.objects.get(pk=task.pk).specialist == "tester"
    assert WordCount.objects.get(word="upload").specialist == "tester"
    assert SpecialistCount.objects.get(project=project).tasks == 1


def test_a_group_teaches_nothing_and_neither_does_a_plan(project: Project) -> None:
    [task] = planned(project, ("Test the upload", "tester"))
    learned(project)
    assert [*Lesson.objects.values_list("pk", flat=True)] == [task.pk]


def test_learning_twice_counts_once(project: Project) -> None:
    planned(project, *history("Build", "implementer", 3))
    learned(project)
    before = counts_of(project), scores_of(project)
    learned(project)
    assert (counts_of(project), scores_of(project)) == before


def test_an_edit_unlearns_exactly_what_was_counted(project: Project) -> None:
    kept, changed = planned(project, ("Build the cart", "implementer"), ("Test the cart", "tester"))
    learned(project)
    edited(changed, title="Describe the basket", specialist="documenter")
    learned(project)
    expected = counts_of(project)
    assert {name for _, name in expected["words"]} == {"implementer", "documenter"}
    assert again(project)[0] == expected
    assert kept.pk in expected["lessons"]


def test_what_is_edited_away_and_back_is_counted_as_before(project: Project) -> None:
    [task] = planned(project, ("Build the cart", "implementer"))
    learned(project)
    before = counts_of(project)
    edited(task, title="Build the basket", description="Of goods")
    learned(project)
    assert counts_of(project) != before
    edited(task, title="Build the cart", description="So be it")
    learned(project)
    assert counts_of(project) == before


def test_a_prediction_is_of_the_title_as_it_was_planned(project: Project) -> None:
    [task] = planned(project, ("Test the upload", "tester"))
    edited(task, title="Write the guide", specialist="documenter")
    learned(project)
    assert Score.objects.get(method=Method.RULES).right == 1
    assert Lesson.objects.get(pk=task.pk).specialist == "documenter"


def test_a_task_that_was_divided_teaches_no_more(project: Project) -> None:
    [task] = planned(project, ("Build the cart", "implementer"))
    learned(project)
    planned(project, ("Build the button", "implementer"), parent=task)
    learned(project)
    expected = counts_of(project), scores_of(project)
    assert task.pk not in expected[0]["lessons"]
    assert again(project) == expected


def test_a_cancelled_task_still_teaches(project: Project) -> None:
    [task, _] = planned(project, ("Build the cart", "implementer"), ("Test the cart", "tester"))
    learned(project)
    before = counts_of(project)
    cancel(task=task, actor=ADA, reason="Not wanted")
    learned(project)
    assert counts_of(project) == before


@pytest.mark.parametrize("limit", [3, 500])
def test_replayed_from_the_events_counts_and_scores_are_the_same(project: Project, limit: int) -> None:
    chance, tasks = Random(limit), list[Task]()
    kinds = {"tester": "Test", "implementer": "Build", "documenter": "Describe"}
    for number in range(25):
        name = chance.choice(list(kinds))
        tasks += planned(project, (f"{kinds[name]} {chance.choice('abcdef')}cart {number}", name))
        if chance.random() < 0.5:
            name = chance.choice(list(kinds))
            edited(chance.choice(tasks), title=f"{kinds[name]} something {number}", specialist=name)
        if chance.random() < 0.3:
            learned(project, limit)
    learned(project)
    expected = counts_of(project), scores_of(project)
    assert again(project, limit) == expected


def test_steps_of_the_clock_change_nothing(project: Project) -> None:
    tasks = planned(project, *history("Build", "implementer", 4))
    learned(project)
    for days, task in zip((-400, 400, -1, 1), tasks, strict=True):
        edited(task, title=f"Describe page {task.pk}", specialist="documenter")
        Event.objects.filter(task=task).update(created_at=timezone.now() + timedelta(days=days))
    planned(project, ("Test the cart", "tester"))
    learned(project)
    expected = counts_of(project), scores_of(project)
    assert {name for name, _ in expected[0]["lessons"].values()} == {"documenter", "tester"}
    assert again(project) == expected


def test_a_purged_plan_is_unlearned_and_an_import_teaches_again(
    project: Project, settings: Settings, tmp_path: Path
) -> None:
    settings.ORCHESTRATOR_HOME = tmp_path
    [task] = planned(project, ("Test the cart", "tester"))
    root = Task.objects.get(pk=task.root_id)
    planned(project, ("Build the cart", "implementer"))
    learned(project)
    before = counts_of(project)
    cancel(task=root, actor=ADA, reason="Over")
    put_away(root)
    root.refresh_from_db()
    learned(project)
    purge(task=root, actor=ADA, confirmed=True)
    learned(project)
    left = counts_of(project)
    assert {name for _, name in left["words"]} == {"implementer"}
    assert again(project)[0] == left
    import_plan(project=project, export=export_of(project, root.public_id), actor=ADA)
    learned(project)
    assert counts_of(project) == before


def test_what_another_computed_at_the_same_time_is_not_written(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned(project, *history("Build", "implementer", 3))
    learn(project=project, limit=1)
    with monkeypatch.context() as patched:
        patched.setattr(_Pupil, "write", lambda pupil: pytest.fail("It counted what another had counted."))
        patched.setattr(_Pupil, "learn", lambda pupil: Reader.objects.update(version=F("version") + 1))
        done = learn(project=project)
    assert (done.steps, done.has_more) == (0, True)
    learned(project)
    assert Lesson.objects.count() == 3


def purged(project: Project, *tasks: Given) -> Task:
    [*_, last] = planned(project, *tasks)
    learned(project)
    root = Task.objects.get(pk=last.root_id)
    cancel(task=root, actor=ADA, reason="Over")
    put_away(root)
    root.refresh_from_db()
    learned(project)
    purge(task=root, actor=ADA, confirmed=True)
    return root


def test_a_purge_unlearns_nothing_itself_and_is_unlearned_in_portions(
    project: Project, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ORCHESTRATOR_HOME = tmp_path
    planned(project, ("Build the cart", "implementer"))
    learned(project)
    before = counts_of(project)
    purged(project, *history("Test", "tester", 5))
    assert Lesson.objects.count() == 6
    monkeypatch.setattr("tasks.insights.services.learn.WORDS", 2 * LIMIT)
    version = Reader.objects.get().version
    learned(project)
    assert counts_of(project) == before
    assert Reader.objects.get().version == version + 3  # two tasks each


@pytest.mark.parametrize("portions", [1, 4])
def test_an_import_is_learned_in_portions_that_may_be_interrupted(
    project: Project, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, portions: int
) -> None:
    settings.ORCHESTRATOR_HOME = tmp_path
    root = purged(project, *history("Test", "tester", 5))
    import_plan(project=project, export=export_of(project, root.public_id), actor=ADA)
    expected = again(project)
    forgotten(project)
    monkeypatch.setattr("tasks.insights.services.learn.WORDS", 1)
    with monkeypatch.context() as patched:
        patched.setattr(_Pupil, "write", interrupted_after(portions))
        with pytest.raises(KeyboardInterrupt):
            learn(project=project)
    assert Lesson.objects.count() == portions - 1  # the plan itself teaches nothing
    learned(project)
    assert (counts_of(project), scores_of(project)) == expected


def interrupted_after(portions: int) -> Callable[[_Pupil], None]:
    left, write = iter(range(portions)), _Pupil.write

    def written(pupil: _Pupil) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        write(pupil)

    return written


def test_an_import_is_left_to_the_job(project: Project, settings: Settings, tmp_path: Path) -> None:
    settings.ORCHESTRATOR_HOME = tmp_path
    root = purged(project, ("Test the cart", "tester"))
    learned(project)
    import_plan(project=project, export=export_of(project, root.public_id), actor=ADA)
    catch_up(project=project)
    assert not Lesson.objects.exists()
    learn_all(seconds=30)
    assert Lesson.objects.count() == 1


def test_what_is_planned_into_an_imported_plan_is_predicted(
    project: Project, settings: Settings, tmp_path: Path
) -> None:
    settings.ORCHESTRATOR_HOME = tmp_path
    root = purged(project, ("Test the cart", "tester"))
    learned(project)
    import_plan(project=project, export=export_of(project, root.public_id), actor=ADA)
    before = Score.objects.get(method=Method.RULES).n
    restore(task=Task.objects.get(public_id=root.public_id), actor=ADA)
    reopen(task=Task.objects.get(public_id=root.public_id), actor=ADA)
    planned(project, ("Test the checkout", "tester"), parent=Task.objects.get(public_id=root.public_id))
    learned(project)
    assert Score.objects.get(method=Method.RULES).n == before + 1
    assert Lesson.objects.count() == 2


def test_where_nothing_was_planned_nothing_is_written_for_each_project(
    project: Project, django_assert_max_num_queries: Any
) -> None:
    for number in range(10):
        planned(make_project(f"quiet-{number}"), ("Build the cart", "implementer"))
    learn_all(seconds=30)
    record(actor=ADA, verb=Verb.EDIT_PROJECT, project=project)
    with django_assert_max_num_queries(4):
        learn_all(seconds=30)
    assert set(Reader.objects.values_list("cursor", flat=True)) == {Event.objects.latest("pk").pk}


def test_events_that_may_still_be_preceded_are_left_for_later(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (planned(project, (title, "tester"))[0] for title in ("Test one", "Test two"))
    with monkeypatch.context() as patched:
        settled = Event.objects.get(task=first, verb="plan").pk
        patched.setattr("tasks.insights.selectors.planned.last_id", lambda: settled)
        learned(project)
    assert [*Lesson.objects.values_list("pk", flat=True)] == [first.pk]
    learned(project)
    assert [*Lesson.objects.values_list("pk", flat=True)] == [first.pk, second.pk]


def test_suggestions_of_a_purged_task_go_with_it(project: Project, settings: Settings, tmp_path: Path) -> None:
    settings.ORCHESTRATOR_HOME = tmp_path
    plan = make_plan(project, 1, statuses=["completed"])
    suggest(project=project, actor=ADA, title="Test it", task=plan.children.get())
    put_away(plan)
    plan.refresh_from_db()
    purge(task=plan, actor=ADA, confirmed=True)
    assert not Suggestion.objects.exists()


def test_projects_learn_apart(project: Project) -> None:
    planned(project, ("Test the cart", "tester"))
    planned(make_project("other"), ("Build the cart", "implementer"))
    assert learn_all(seconds=30).has_more is False
    assert counts_of(project)["specialists"].keys() == {"tester"}


def test_a_long_backlog_is_left_to_the_job(project: Project) -> None:
    planned(project, *history("Build", "implementer", SOON + 1))
    catch_up(project=project)
    assert not Lesson.objects.exists()
    learn_all(seconds=30)
    assert Lesson.objects.count() == SOON + 1


def test_a_short_backlog_is_learned_at_once(project: Project) -> None:
    planned(project, *history("Build", "implementer", 3))
    catch_up(project=project)
    assert Lesson.objects.count() == 3


def test_batches_end_where_they_are_said_to(project: Project) -> None:
    planned(project, *history("Build", "implementer", 5))
    first = learn(project=project, limit=2)
    assert (first.steps, first.has_more) == (2, True)
    learned(project)
    assert Lesson.objects.count() == 5
