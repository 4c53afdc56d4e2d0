"""The counts of a project while they change: lessons are taught or taken back, and what differs is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TypeVar

from orchestrator_site.kernel.compiled import insert_all
from tasks.insights.models import Lesson, SpecialistCount, WordCount
from tasks.insights.selectors.counts import learned_of

_CHUNK = 500
Found = TypeVar("Found", int, str)


class Ledger:
    """Knows the counts of `words` and the lessons of some tasks, by their keys. Call `write` in a transaction."""

    def __init__(self, project_id: int, words: Iterable[str], lessons: Mapping[int, Lesson]) -> None:
        self.project_id = project_id
        self.lessons: dict[int, Lesson | None] = dict(lessons)
        taught = {word for lesson in lessons.values() for word in lesson.words}
        self.learned = learned_of(project_id, taught.union(words))
        self._cells: set[tuple[str, str]] = set()
        self._changed: set[int] = set()

    def has_lesson(self, task_id: int) -> bool:
        return self.lessons.get(task_id) is not None

    def teach(self, task_id: int, specialist: str, words: dict[str, int]) -> None:
        """Take back what a task taught and count it as it is now; without a specialist, it teaches nothing."""
        if old := self.lessons.get(task_id):
            if (old.specialist, old.words) == (specialist, words):
                return
            self._count(old, times=-1)
        elif not specialist:
            return
        self._changed.add(task_id)
        new = Lesson(task_id=task_id, project_id=self.project_id, specialist=specialist, words=words)
        self.lessons[task_id] = new if specialist else None
        if specialist:
            self._count(new, times=1)
            self.learned.newest |= {(word, specialist): task_id for word in words}

    def _count(self, lesson: Lesson, *, times: int) -> None:
        self.learned.counts.learn(lesson.specialist, lesson.words, times=times)
        self._cells |= {(word, lesson.specialist) for word in lesson.words}

    def write(self) -> None:
        """Write lessons and counts. Call it while no other can: see `learn`."""
        lessons = {key: self.lessons[key] for key in sorted(self._changed)}
        insert_all([row for row in lessons.values() if row], update=["specialist", "words"], unique=["task"])
        for gone in _chunks(key for key, row in lessons.items() if row is None):
            Lesson.objects.filter(pk__in=gone).delete()
        self._write_specialists({specialist for _, specialist in self._cells})
        self._write_words()

    def _write_specialists(self, names: set[str]) -> None:
        counts = self.learned.counts
        rows = [
            SpecialistCount(
                project_id=self.project_id, specialist=name, tasks=counts.tasks[name], words=counts.words.get(name, 0)
            )
            for name in sorted(names & counts.tasks.keys())
        ]
        insert_all(rows, update=["tasks", "words"], unique=["project", "specialist"])
        SpecialistCount.objects.filter(project=self.project_id, specialist__in=names - counts.tasks.keys()).delete()

    def _write_words(self) -> None:
        of, rows, gone = self.learned.counts.of, [], dict[str, list[str]]()
        for word, specialist in sorted(self._cells):
            if count := of[word].get(specialist, 0):
                newest = self.learned.newest[word, specialist]
                rows.append(
                    WordCount(project_id=self.project_id, word=word, specialist=specialist, count=count, newest=newest)
                )
            else:
                gone.setdefault(specialist, []).append(word)
        insert_all(rows, update=["count", "newest"], unique=["project", "word", "specialist"])
        for specialist, words in gone.items():
            for chunk in _chunks(words):
                WordCount.objects.filter(project=self.project_id, specialist=specialist, word__in=chunk).delete()


def _chunks(found: Iterable[Found]) -> Iterator[list[Found]]:
    left = iter(found)
    while chunk := list(islice(left, _CHUNK)):
        yield chunk
