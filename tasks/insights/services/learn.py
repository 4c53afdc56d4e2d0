"""Learn from events which specialist was chosen for what; forget what was edited or purged exactly as it was counted.

Counts are computed outside the transaction. Whoever writes them takes the next version of the project's reader first:
of two that learn at once, or where a plan is purged at the same time, the later writes nothing and begins again.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from orchestrator_site.kernel import read_only
from orchestrator_site.kernel.compiled import insert_all
from tasks.insights.choices import Kind, Method, Outcome
from tasks.insights.models import Lesson, Reader, Score, Suggestion
from tasks.insights.routing.predict import Prediction, predict
from tasks.insights.routing.rules import signs_of
from tasks.insights.routing.words import fingerprint
from tasks.insights.selectors.counts import scores_of, trusts_history
from tasks.insights.selectors.planned import Step, Steps, steps_after
from tasks.insights.services.ledger import Ledger
from tasks.models import Project, Task
from tasks.project_settings import setting
from tasks.roles import catalogue

BATCH = 200
"""Events in one transaction, since on SQLite it blocks all other writers."""
SOON = 20
"""Events that are learned while an answer is waited for; a longer backlog is left to the job."""
_CHUNK = 500


@dataclass(slots=True)
class Progress:
    steps: int = 0
    has_more: bool = False


def learn_all(*, seconds: float) -> Progress:
    """Learn in every project for as long as there is time."""
    until, done = monotonic() + seconds, Progress()
    for project in Project.objects.order_by("pk"):
        done.has_more = True
        while done.has_more and monotonic() < until:
            learned = learn(project=project)
            done.steps, done.has_more = done.steps + learned.steps, learned.has_more
    return done


def learn(*, project: Project, limit: int = BATCH) -> Progress:
    """Learn the next events of a project. Where another process was faster, nothing is counted twice."""
    reader, _ = Reader.objects.get_or_create(pk=project.pk)
    return _learn(project, reader, steps_after(project.pk, reader.cursor, limit=limit))


def catch_up(*, project: Project) -> None:
    """Learn a short backlog, so that a suggestion knows what was planned just now."""
    reader = Reader.objects.filter(pk=project.pk).first() or Reader(pk=project.pk)
    found = steps_after(project.pk, reader.cursor, limit=SOON)
    if found.steps and not found.has_more and not read_only.is_on():
        _learn(project, reader if not reader._state.adding else Reader.objects.get_or_create(pk=project.pk)[0], found)


def forget(keys: Any) -> None:
    """Take back what tasks taught. Call it in the transaction that deletes them, before it does."""
    project_id = Task.objects.filter(pk__in=keys).order_by().values_list("project", flat=True).first()
    if project_id is None:
        return
    Reader.objects.filter(pk=project_id).update(version=F("version") + 1)
    lessons = Lesson.objects.filter(task__in=keys).order_by("pk").in_bulk()
    ledger = Ledger(project_id, (), lessons)
    for key in lessons:
        ledger.teach(key, "", {})
    ledger.write()


def _learn(project: Project, reader: Reader, found: Steps) -> Progress:
    if found.until <= reader.cursor:
        return Progress()
    pupil = _Pupil(project, found.steps)
    pupil.learn()
    with transaction.atomic():
        unmoved = Reader.objects.filter(pk=project.pk, version=reader.version)
        if not unmoved.update(cursor=found.until, version=F("version") + 1):
            return Progress(has_more=True)
        pupil.write()
    return Progress(len(found.steps), found.has_more)


class _Pupil:
    """Goes through steps in their order: predicts what is new, or notes what became of a suggestion, then counts."""

    def __init__(self, project: Project, steps: list[Step]) -> None:
        self.project = project
        self.steps = [(step, signs_of(step.title, step.description)) for step in steps]
        self.scores = scores_of(project.pk)
        self.specialists = catalogue(project).roles.keys()
        self.least = float(setting(project, "routing.min_confidence"))
        self.shown = _shown(project.pk, {fingerprint(step.title) for step in steps if step.is_choice})
        self.decided: dict[int, tuple[Suggestion, Step]] = {}
        lessons: dict[int, Lesson] = {}
        keys = sorted({step.task_id for step in steps})
        for start in range(0, len(keys), _CHUNK):
            lessons |= Lesson.objects.in_bulk(keys[start : start + _CHUNK])
        self.ledger = Ledger(project.pk, {word for _, words in self.steps for word in words}, lessons)

    def learn(self) -> None:
        for step, words in self.steps:
            if step.specialist and step.is_choice:
                before = [row for row in self.shown.get(fingerprint(step.title), []) if row.after_event < step.event_id]
                self.decided |= {row.pk: (row, step) for row in before if row.pk not in self.decided}
                if step.is_new and not before and not self.ledger.has_lesson(step.task_id):
                    self._score(step, words)
            self.ledger.teach(step.task_id, step.specialist, words)

    def _score(self, step: Step, words: dict[str, int]) -> None:
        counts = self.ledger.learned.counts
        predictions = predict(
            (step.title, step.description),
            words,
            counts,
            self.specialists,
            trusts_history=trusts_history(self.scores.values(), counts.n),
            least=self.least,
        )
        for method, prediction in predictions.items():
            self._count(method, prediction, step.specialist)

    def _count(self, method: Method, prediction: Prediction, specialist: str) -> None:
        key = method, prediction.tenth
        if key not in self.scores:
            self.scores[key] = Score(project=self.project, method=method, tenth=prediction.tenth)
        self.scores[key].add(
            is_right=prediction.names(specialist),
            is_second=prediction.names_second(specialist),
            is_unsure=prediction.is_unsure,
        )

    def write(self) -> None:
        self.ledger.write()
        counted = ["n", "right", "second", "unsure", "unsure_right"]
        insert_all(list(self.scores.values()), update=counted, unique=["project", "method", "tenth"])
        for suggestion, step in self.decided.values():
            settle(suggestion, chosen=step.specialist, task_id=step.task_id)


def _shown(project_id: int, titles: set[str]) -> dict[str, list[Suggestion]]:
    found: dict[str, list[Suggestion]] = {}
    ordered = sorted(titles)
    for start in range(0, len(ordered), _CHUNK):
        rows = Suggestion.objects.filter(
            project=project_id, kind=Kind.SPECIALIST, input_sha256__in=ordered[start : start + _CHUNK]
        )
        for row in rows.only("input_sha256", "after_event", "answer"):
            found.setdefault(row.input_sha256, []).append(row)
    return found


def settle(suggestion: Suggestion, *, chosen: str, task_id: int | None) -> bool:
    """Say what was chosen after a suggestion, if it is still open."""
    first = suggestion.answer[0]["value"] if suggestion.answer else ""
    outcome = Outcome.ACCEPTED if chosen == first else Outcome.OTHER
    open_ones = Suggestion.objects.filter(pk=suggestion.pk, outcome=Outcome.OPEN)
    changes = {"outcome": outcome, "chosen": chosen, "decided_at": timezone.now()}
    return bool(open_ones.update(**changes, **({"task": task_id} if task_id else {})))
