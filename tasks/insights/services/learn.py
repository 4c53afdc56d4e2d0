"""Learn from events which specialist was chosen for what; forget what was edited or purged exactly as it was counted.

Counts are computed outside the transaction. Whoever writes them takes the next version of the project's reader first:
of two that learn at once, the later writes nothing and begins again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from orchestrator_site.kernel import read_only
from orchestrator_site.kernel.compiled import Compiled, insert_all
from tasks.insights.choices import Kind, Outcome
from tasks.insights.models import Lesson, Reader, Score, Suggestion
from tasks.insights.routing.predict import predict
from tasks.insights.routing.rules import signs_of
from tasks.insights.routing.words import LIMIT, fingerprint
from tasks.insights.selectors.counts import lead_of_history, scores_of
from tasks.insights.selectors.planned import BATCH, LONG, Backlog, Step, backlog_of, steps_of, waiting
from tasks.insights.services.ledger import Ledger
from tasks.models import Project
from tasks.project_settings import setting
from tasks.roles import catalogue
from tasks.selectors.feed import last_id

SOON = 20
"""Events that are learned while an answer is waited for; a longer backlog is left to the job."""
WORDS = 1_000
"""Words that are counted in one transaction, since on SQLite it blocks all other writers."""
_CHUNK = 500
Read = tuple[Step, dict[str, int]]
"""A step, and its words."""


_reader = Compiled(lambda project: Reader.objects.filter(project=project))


@dataclass(slots=True)
class Progress:
    steps: int = 0
    has_more: bool = False


def learn_all(*, seconds: float) -> Progress:
    """Learn in every project for as long as there is time."""
    end, until, done = monotonic() + seconds, last_id(), Progress()
    busy = list(waiting(until).order_by("pk"))
    Reader.objects.filter(cursor__lt=until).exclude(pk__in=[each.pk for each in busy]).update(cursor=until)
    for project in busy:
        done.has_more = True
        while done.has_more and monotonic() < end:
            learned = learn(project=project)
            done.steps, done.has_more = done.steps + learned.steps, learned.has_more
    return done


def learn(*, project: Project, limit: int = BATCH) -> Progress:
    """Learn the next events of a project. Where another process was faster, nothing is counted twice."""
    reader, _ = Reader.objects.get_or_create(pk=project.pk)
    return _learn(project, reader, backlog_of(project.pk, reader.cursor, limit=limit))


def catch_up(*, project: Project) -> None:
    """Learn a short backlog, so that a suggestion knows what was planned just now."""
    reader = _reader.first(project=project) or Reader(pk=project.pk)
    found = backlog_of(project.pk, reader.cursor, limit=SOON)
    is_short = not found.has_more and LONG.isdisjoint(event.verb for event in found.events)
    if found.events and is_short and not read_only.is_on():
        _learn(project, Reader.objects.get_or_create(pk=project.pk)[0] if reader._state.adding else reader, found)


def _learn(project: Project, reader: Reader, found: Backlog) -> Progress:
    done = Progress()
    for portion, until in _portions(found, project.pk):
        pupil = _Pupil(project, portion)
        pupil.learn()
        with transaction.atomic():
            unmoved = Reader.objects.filter(pk=project.pk, version=reader.version)
            if not unmoved.update(cursor=until, version=F("version") + 1):
                return Progress(done.steps, has_more=True)
            pupil.write()
        reader.version += 1
        done.steps += len(portion)
    return Progress(done.steps, found.has_more)


def _portions(found: Backlog, project_id: int) -> Iterator[tuple[list[Read], int]]:
    """Yield steps with their words, and where to go on then.

    Where one ends amid the steps of a long event, that is before this event: it adds and takes away nothing twice.
    """
    portion, size = list[Read](), 0
    for step in steps_of(project_id, found.events):
        words = signs_of(step.title, step.description) if step.specialist else {}
        added = len(words) + (0 if step.is_new else LIMIT)  # it may take back what was taught before
        if portion and size + added > WORDS:
            yield portion, step.event_id - 1
            portion, size = [], 0
        portion.append((step, words))
        size += added
    if found.events:
        yield portion, found.until


class _Pupil:
    """Goes through steps in their order: predicts what is new, or notes what became of a suggestion, then counts."""

    def __init__(self, project: Project, steps: list[Read]) -> None:
        self.project, self.steps = project, steps
        self.scores = scores_of(project.pk)
        self.specialists = catalogue(project).roles.keys()
        self.least = float(setting(project, "routing.min_confidence"))
        self.shown = _shown(project.pk, {fingerprint(step.title) for step, _ in steps if step.is_choice})
        self.decided: dict[int, tuple[Suggestion, Step]] = {}
        lessons: dict[int, Lesson] = {}
        keys = sorted({step.task_id for step, _ in steps})
        for start in range(0, len(keys), _CHUNK):
            lessons |= Lesson.objects.in_bulk(keys[start : start + _CHUNK])
        self.ledger = Ledger(project.pk, {word for _, words in steps for word in words}, lessons)

    def learn(self) -> None:
        for step, words in self.steps:
            if step.specialist and step.is_choice:
                before = [row for row in self.shown.get(fingerprint(step.title), []) if row.after_event < step.event_id]
                self.decided |= {row.pk: (row, step) for row in before if row.pk not in self.decided}
                if step.is_new and not before and not self.ledger.has_lesson(step.task_id):
                    self._score(step, words)
            self.ledger.teach(step.task_id, step.specialist, words)

    def _score(self, step: Step, words: dict[str, int]) -> None:
        predictions = predict(
            (step.title, step.description),
            words,
            self.ledger.learned.counts,
            self.specialists,
            lead=lead_of_history(self.scores.values()),
            least=self.least,
        )
        for method, prediction in predictions.items():
            key = method, prediction.tenth
            if key not in self.scores:
                self.scores[key] = Score(project=self.project, method=method, tenth=prediction.tenth)
            self.scores[key].add(prediction, step.specialist)

    def write(self) -> None:
        self.ledger.write()
        counted = ["n", "right", "second", "unsure", "unsure_right", "confidence"]
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
