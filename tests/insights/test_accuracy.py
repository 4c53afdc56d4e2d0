"""Accuracy: each method on the same tasks, predicted before they were learned, with what is certain about it."""

from __future__ import annotations

import pytest

from tasks.insights.choices import Method
from tasks.insights.models import Score
from tasks.insights.routing.accuracy import wilson
from tasks.insights.selectors.accuracy import accuracies, accuracy_of
from tasks.models import Project
from tests.factories import make_project
from tests.insights.teaching import learned, planned


def test_the_interval_is_that_of_wilson() -> None:
    low, high = wilson(8, 10) or (0, 0)
    assert (round(low, 3), round(high, 3)) == (0.49, 0.943)
    assert wilson(0, 0) is None
    assert (wilson(0, 5) or (1, 1))[0] == 0
    assert (wilson(5, 5) or (0, 0))[1] == 1


def test_rates_are_of_what_was_counted() -> None:
    rows = [
        Score(method="rules", tenth=8, n=8, right=6, second=1, confidence=6.4),
        Score(method="rules", tenth=5, n=2, right=1, unsure=2, unsure_right=1, confidence=1.0),
    ]
    found = accuracy_of("rules", rows)
    assert (found.n, found.rate, found.first_two) == (10, 0.7, 0.8)
    assert (found.abstained, found.rate_when_sure) == (0.2, 0.75)
    assert found.calibration_error == pytest.approx(8 * (0.8 - 0.75) / 10)


def test_nothing_counted_has_no_rates() -> None:
    found = accuracy_of("rules", [])
    assert (found.rate, found.interval, found.first_two, found.abstained) == (None, None, None, None)
    assert (found.rate_when_sure, found.calibration_error) == (None, None)


@pytest.mark.django_db
def test_every_method_predicts_the_same_tasks() -> None:
    project: Project = make_project("shop")
    planned(project, ("Test the cart", "tester"), ("Build the cart", "implementer"), ("Warenkorb", "implementer"))
    learned(project)
    found = {each.method: each for each in accuracies(project)}
    assert {method: found[method].n for method in Method.values} == dict.fromkeys(Method.values, 3)
    assert found[Method.RULES].right == 3
    assert found[Method.RULES].unsure == 1
    assert found[Method.SUGGESTED].right == found[Method.RULES].right
    assert found[Method.MAJORITY].right == 1  # before anything is known, it has only the usual one; then the tester


@pytest.mark.django_db
def test_confidences_that_come_true_have_no_calibration_error() -> None:
    project = make_project("shop")
    titles = [(f"Fix redirect {number}", "debugger") for number in range(9)]
    planned(project, *titles, ("Fix redirect 9", "tester"))
    learned(project)
    [found] = [each for each in accuracies(project) if each.method == Method.RULES]
    assert (found.n, found.right) == (10, 9)
    assert found.calibration_error == pytest.approx(0)


@pytest.mark.django_db
def test_a_prediction_does_not_know_its_task() -> None:
    project = make_project("shop")
    planned(project, ("Warenkorb", "documenter"))
    learned(project)
    assert not Score.objects.filter(right__gt=0).exists()
