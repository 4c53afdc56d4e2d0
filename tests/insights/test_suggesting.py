"""Suggestions of a specialist: two, with reasons, unsure where little speaks for them, and never assigned."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from orchestrator_site.kernel.errors import Conflict
from tasks.identity.actor import Actor
from tasks.insights.choices import Kind, Method, Outcome
from tasks.insights.models import Lesson, Score, Suggestion
from tasks.insights.routing.blend import ENOUGH
from tasks.insights.selectors.accuracy import Acceptance, acceptances
from tasks.insights.selectors.routing import suggest_specialist
from tasks.insights.services.learn import learn_all
from tasks.insights.services.suggestions import KEPT_OPEN, decide, delete_open, show, suggest
from tasks.models import Project, Specialist
from tests.factories import make_project, make_session
from tests.insights.teaching import ADA, edited, history, learned, planned
from tests.insights.test_words import HOSTILE

pytestmark = pytest.mark.django_db
FIX = "Fix the redirect after login"


@pytest.fixture
def project() -> Project:
    return make_project("shop")


@pytest.fixture
def experienced(project: Project) -> Project:
    """A project whose words say more than general English: the ledger is for the bookkeeper."""
    Specialist.objects.create(project=project, name="bookkeeper", role_definition="You keep the books.")
    pairs = zip(history("Ledger balance", "bookkeeper", 60), history("Build shop", "implementer", 60), strict=True)
    planned(project, *(each for pair in pairs for each in pair))
    learned(project)
    return project


def chosen(project: Project, title: str, specialist: str) -> None:
    planned(project, (title, specialist))
    learned(project)


def test_without_any_history_rules_answer_and_say_so(project: Project) -> None:
    answer = suggest_specialist(project, FIX)
    assert [choice.specialist for choice in answer.choices] == ["debugger", "implementer"]
    assert (answer.is_unsure, answer.source, answer.n, answer.lacking) == (False, "rule", 0, ENOUGH)
    assert [(factor.kind, factor.text) for factor in answer.factors] == [("rule", "fix")]
    assert answer.taught_by == []


def test_a_text_that_no_rule_knows_is_unsure_and_has_two_choices(project: Project) -> None:
    answer = suggest_specialist(project, "Warenkorb umbauen")
    assert (answer.is_unsure, answer.source, len(answer.choices)) == (True, "none", 2)


def test_history_answers_where_it_predicted_better_than_rules(experienced: Project) -> None:
    answer = suggest_specialist(experienced, "Ledger balance of March")
    assert (answer.choices[0].specialist, answer.is_unsure, answer.lacking) == ("bookkeeper", False, 0)
    assert answer.source == "learned"
    assert {"ledger", "balanc", "ledger balanc"} & {factor.text for factor in answer.factors}


def test_it_names_the_latest_tasks_that_taught_its_strongest_words(experienced: Project) -> None:
    answer = suggest_specialist(experienced, "Ledger balance of March")
    taught = Lesson.objects.filter(task__public_id__in=answer.taught_by)
    assert 1 <= len(taught) == len(answer.taught_by) <= 3
    assert {lesson.specialist for lesson in taught} == {"bookkeeper"}


def test_it_names_the_factor_without_which_the_second_would_be_first(experienced: Project) -> None:
    turned_by = suggest_specialist(experienced, "Ledger shop").turned_by
    assert turned_by is not None
    assert (turned_by.kind, turned_by.text) == ("word", "ledger")
    assert suggest_specialist(experienced, "Ledger balance").turned_by is None


def test_a_task_that_was_edited_and_taught_other_words_is_not_named(experienced: Project) -> None:
    [latest] = planned(experienced, ("Ledger balance of May", "bookkeeper"))
    learned(experienced)
    title = "Ledger balance of March"
    assert latest.public_id in suggest_specialist(experienced, title).taught_by
    edited(latest, title="Receipts in boxes", description="Sorted")
    learned(experienced)
    assert latest.public_id not in suggest_specialist(experienced, title).taught_by


def test_a_rule_turns_the_answer_only_where_the_second_would_come_first_without_it(project: Project) -> None:
    assert suggest_specialist(project, "Build the cart").turned_by is None  # the implementer is usual anyway
    turned_by = suggest_specialist(project, FIX).turned_by
    assert turned_by is not None and turned_by.kind == "rule"


def test_history_starts_without_what_it_could_not_know(project: Project) -> None:
    titles = [(f"Test cart {number}", "tester") for number in range(ENOUGH // 2)]
    planned(project, *titles, *((f"Fix cart {number}", "debugger") for number in range(ENOUGH // 2)))
    learned(project)
    right = {method: sum(Score.objects.filter(method=method).values_list("right", flat=True)) for method in Method}
    assert right[Method.LEARNED] == right[Method.RULES] == ENOUGH
    assert suggest_specialist(project, FIX).source == "both"


def test_rules_go_on_where_history_predicted_worse(project: Project) -> None:
    titles = [(f"Test {word} {number}", "tester") for number in range(30) for word in ("it", "that")]
    others = [(f"Describe {word} {number}", "documenter") for number in range(30) for word in ("it", "that")]
    planned(project, *titles, *others)
    learned(project)
    Score.objects.filter(project=project, method="learned").update(right=0)
    answer = suggest_specialist(project, FIX)
    assert (answer.source, answer.choices[0].specialist, answer.lacking) == ("rule", "debugger", 0)


def test_history_overrules_a_rule_only_once_it_predicted_better(project: Project) -> None:
    planned(project, *history("Warenkorb", "implementer", ENOUGH))
    learned(project)
    before = suggest_specialist(project, "Fix Warenkorb")
    assert (before.source, before.choices[0].specialist) == ("rule", "debugger")
    Score.objects.filter(project=project, method=Method.RULES).update(right=ENOUGH - 1)
    after = suggest_specialist(project, "Fix Warenkorb")
    assert (after.source, after.choices[0].specialist) == ("both", "implementer")


def test_with_one_specialist_in_all_history_it_is_named(project: Project) -> None:
    planned(project, *history("Warenkorb", "implementer", ENOUGH))
    learned(project)
    answer = suggest_specialist(project, "Warenkorb")
    assert [choice.specialist for choice in answer.choices] == ["implementer"]
    assert answer.is_unsure is False


def test_a_role_that_was_deleted_is_not_suggested(experienced: Project) -> None:
    Specialist.objects.filter(project=experienced).delete()
    answer = suggest_specialist(experienced, "Ledger balance of March")
    assert "bookkeeper" not in {choice.specialist for choice in answer.choices}
    assert answer.choices


def test_a_text_of_unknown_words_is_unsure_whatever_is_usual(experienced: Project) -> None:
    for title in ("", "4711", "Сделать корзину"):
        assert suggest_specialist(experienced, title).is_unsure


@pytest.mark.parametrize("texts", HOSTILE.values(), ids=HOSTILE)
def test_any_text_gets_an_answer(experienced: Project, texts: tuple[str, str]) -> None:
    assert suggest(project=experienced, actor=ADA, title=texts[0], description=texts[1]).answer.choices


def test_where_it_is_switched_off_nothing_is_suggested_or_noted(project: Project) -> None:
    project.settings = {"routing": {"suggest": "off"}}
    project.save()
    suggested = suggest(project=project, actor=ADA, title=FIX)
    assert (suggested.answer.source, suggested.answer.choices, suggested.suggestion) == ("off", [], None)
    assert not Suggestion.objects.exists()


def test_the_project_says_from_when_on_it_is_sure(project: Project) -> None:
    project.settings = {"routing": {"min_confidence": 0.99}}
    project.save()
    assert suggest_specialist(project, FIX).is_unsure


def test_what_was_planned_just_now_is_known(project: Project) -> None:
    planned(project, ("Build the cart", "implementer"))
    assert suggest(project=project, actor=ADA, title=FIX).answer.n == 1


def test_a_suggestion_is_noted_once_while_it_is_open(project: Project) -> None:
    first = suggest(project=project, actor=ADA, title=FIX).suggestion
    again = suggest(project=project, actor=ADA, title=FIX.upper()).suggestion
    assert first is not None and first == again
    assert (first.kind, first.outcome, first.answer[0]["value"]) == (Kind.SPECIALIST, Outcome.OPEN, "debugger")
    other = Actor.assistant(make_session(project))
    assert suggest(project=project, actor=other, title=FIX).suggestion != first


def test_what_was_learned_in_between_makes_no_other_suggestion_of_the_same_choices(experienced: Project) -> None:
    title = "Ledger balance of March"
    first = suggest(project=experienced, actor=ADA, title=title)
    planned(experienced, *history("Ledger of shop", "implementer", 10))
    again = suggest(project=experienced, actor=ADA, title=title)
    assert [each.confidence for each in again.answer.choices] != [each.confidence for each in first.answer.choices]
    assert again.suggestion == first.suggestion


@pytest.mark.parametrize(("choice", "outcome"), [("debugger", Outcome.ACCEPTED), ("tester", Outcome.OTHER)])
def test_what_is_planned_after_a_suggestion_decides_it_and_is_no_prediction(
    project: Project, choice: str, outcome: str
) -> None:
    suggest(project=project, actor=ADA, title=FIX)
    chosen(project, FIX, choice)
    row = Suggestion.objects.get()
    assert (row.outcome, row.chosen, row.task_id) == (outcome, choice, Lesson.objects.get().pk)
    assert not Score.objects.exists()


def test_a_suggestion_that_was_seen_only_afterwards_is_not_decided_by_the_plan(project: Project) -> None:
    planned(project, (FIX, "tester"))
    assert suggest(project=project, actor=ADA, title=FIX).suggestion is not None
    learned(project)
    assert Suggestion.objects.get().outcome == Outcome.OPEN
    assert sum(Score.objects.filter(method="suggested").values_list("n", flat=True)) == 1


def test_another_specialist_by_an_edit_decides_too(project: Project) -> None:
    [task] = planned(project, (FIX, "tester"))
    suggest(project=project, actor=ADA, title=FIX, task=task)
    edited(task, specialist="debugger")
    learned(project)
    assert Suggestion.objects.get().outcome == Outcome.ACCEPTED


def test_nothing_is_ever_assigned(project: Project) -> None:
    [task] = planned(project, (FIX, "tester"))
    suggest(project=project, actor=ADA, title=FIX, task=task)
    learn_all(seconds=30)
    task.refresh_from_db()
    assert task.specialist == "tester"


def test_a_decision_holds(project: Project) -> None:
    row = show(project=project, actor=ADA, kind=Kind.NEXT_TASK, given="next", answer=[{"value": "a"}, {"value": "b"}])
    assert decide(suggestion=row, actor=ADA, chosen="a").outcome == Outcome.ACCEPTED
    assert decide(suggestion=row, actor=ADA, chosen="a").chosen == "a"
    with pytest.raises(Conflict):
        decide(suggestion=row, actor=ADA, chosen="b")


def test_acceptance_counts_what_was_decided(project: Project) -> None:
    for number, choice in enumerate(("debugger", "debugger", "tester")):
        suggest(project=project, actor=ADA, title=f"{FIX} {number}")
        chosen(project, f"{FIX} {number}", choice)
    suggest(project=project, actor=ADA, title="Test the backup")
    assert acceptances(project)[Kind.SPECIALIST] == Acceptance(shown=4, decided=3, accepted=2)


def test_only_suggestions_that_stayed_open_for_long_are_deleted(project: Project) -> None:
    for title in (FIX, f"{FIX} again"):
        suggest(project=project, actor=ADA, title=title)
    chosen(project, FIX, "debugger")
    Suggestion.objects.update(created_at=timezone.now() - KEPT_OPEN - timedelta(hours=1))
    recent = suggest(project=project, actor=ADA, title="Test the backup").suggestion
    assert delete_open() == 1
    assert set(Suggestion.objects.values_list("outcome", flat=True)) == {Outcome.ACCEPTED, Outcome.OPEN}
    assert Suggestion.objects.get(outcome=Outcome.OPEN) == recent
