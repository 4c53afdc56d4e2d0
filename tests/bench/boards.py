"""Boards of any size, made directly in the database: plans of eight with dependencies, in the states of a real one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone

from tasks.choices import Complexity, Status
from tasks.graph.chains import reaches
from tasks.models import Dependency, Project, Session, Task
from tasks.services.readiness import refresh_by_keys

PLAN_SIZE = 8
_CHUNK_OF_PLANS = 500
_NEEDS: tuple[tuple[int, ...], ...] = ((), (0,), (0,), (1, 2), (3,), (3,), (4, 5), (6,))
_WAITING = {need: [task for task, needs in enumerate(_NEEDS) if need in needs] for need in range(PLAN_SIZE)}
_REACHES = reaches(range(PLAN_SIZE), {}, _WAITING)
_STEPS = (
    ("researcher", "Find out how {what} behaves today and who depends on it"),
    ("architect", "Design the change to {what}"),
    ("researcher", "Compare the libraries that could carry {what}"),
    ("implementer", "Build {what} behind a switch"),
    ("tester", "Test {what} with real processes and broken input"),
    ("documenter", "Document {what} for users and operators"),
    ("reviewer", "Review {what} and its tests"),
    ("implementer", "Turn {what} on and remove the old way"),
)
_SUBJECTS = (
    "sign-in",
    "invoice export",
    "the search index",
    "webhooks",
    "nightly import",
    "rate limits",
    "the audit log",
)
_STUCK = (Status.ACTIVE, Status.IN_REVIEW, Status.BLOCKED, Status.NEEDS_REVISION)


@dataclass(frozen=True, slots=True)
class Board:
    """A project full of plans, with what measurements ask about."""

    project: Project
    folder: Path
    size: int
    plan_id: str


def build(folder: Path, size: int, *, held_back: bool = False) -> Board:
    """Make a project with `size` subtasks, of which 40 % are completed and a few are in every other state.

    `held_back` makes the worst case for whoever looks for work: only the last plan has a ready task, and everything
    before it waits for a blocked one.
    """
    folder.mkdir()
    project = Project.objects.create(slug=folder.name, name=folder.name, root_path=str(folder.resolve()))
    session = Session.objects.create(
        public_id=f"session_{project.pk:012x}", project=project, connection_id=f"other-{project.pk}"
    )
    maker = _Maker(project, session, size // PLAN_SIZE, held_back)
    with transaction.atomic():
        for start in range(0, maker.plans, _CHUNK_OF_PLANS):
            maker.make(range(start, min(start + _CHUNK_OF_PLANS, maker.plans)))
    return Board(project, folder, maker.plans * PLAN_SIZE, maker.root_id(maker.plans // 2))


class _Maker:
    """Makes a project's plans, many at a time."""

    def __init__(self, project: Project, session: Session, plans: int, held_back: bool) -> None:
        self.plans = plans
        self._project = project
        self._session = session
        self._held_back = held_back
        self._now = timezone.now()

    def root_id(self, number: int) -> str:
        """Return the public id of a plan's root."""
        return f"task_{self._serial(number):08x}"

    def make(self, numbers: range) -> None:
        """Insert some plans with their subtasks and dependencies."""
        states = [self._states(number) for number in numbers]
        roots = [self._root(number, of_plan) for number, of_plan in zip(numbers, states, strict=True)]
        Task.objects.bulk_create(roots)
        leaves = [
            self._leaf(number, root, place, state)
            for number, root, of_plan in zip(numbers, roots, states, strict=True)
            for place, state in enumerate(of_plan)
        ]
        Task.objects.bulk_create(leaves)
        Dependency.objects.bulk_create(self._edges(leaves))
        refresh_by_keys(leaf.pk for leaf in leaves)

    def _states(self, number: int) -> list[Status]:
        """Of twenty plans seven are finished, two are half done and stand still, the others have not begun."""
        if self._held_back:
            first = Status.PENDING if number == self.plans - 1 else Status.BLOCKED
            return [first, *[Status.PENDING] * (PLAN_SIZE - 1)]
        turn = number % 20
        if turn < 7:
            return [Status.COMPLETED] * PLAN_SIZE
        if turn < 9:
            half = PLAN_SIZE // 2
            stuck = _STUCK[number // 20 % len(_STUCK)] if number // 20 % 5 == 0 else Status.PENDING
            return [*[Status.COMPLETED] * half, stuck, *[Status.PENDING] * (half - 1)]
        return [Status.PENDING] * PLAN_SIZE

    def _root(self, number: int, states: list[Status]) -> Task:
        status = Status.ACTIVE if states[0] == Status.COMPLETED else Status.PENDING
        if states[-1] == Status.COMPLETED:
            status = Status.COMPLETED
        subject = _SUBJECTS[number % len(_SUBJECTS)]
        return Task(
            project=self._project,
            public_id=self.root_id(number),
            title=f"Renew {subject} for team {number}",
            description=f"Renew {subject} for team {number} without a day on which it does not work.",
            is_leaf=False,
            status=status,
            **self._times(number, status),
        )

    def _leaf(self, number: int, root: Task, place: int, status: Status) -> Task:
        specialist, title = _STEPS[place]
        subject = f"{_SUBJECTS[number % len(_SUBJECTS)]} for team {number}"
        hours = 1 + (number + place) % 6
        return Task(
            project=self._project,
            public_id=f"{specialist}_{self._serial(number) * PLAN_SIZE + place:06x}",
            parent=root,
            root=root,
            depth=1,
            position=place + 1,
            title=title.format(what=subject),
            description=f"{title.format(what=subject)}. Say what you found and what is left open.",
            specialist=specialist,
            complexity=Complexity.values[(number + 3 * place) % len(Complexity.values)],
            effort=f"{hours} h",
            effort_minutes=60.0 * hours,
            status=status,
            chain=_REACHES[place].chain,
            unblocks=_REACHES[place].unblocks,
            **self._times(number, status),
            **self._required_by(status),
        )

    def _times(self, number: int, status: Status) -> dict[str, Any]:
        changed: datetime = self._now - timedelta(minutes=self.plans - number)
        done = changed if status == Status.COMPLETED else None
        return {"created_at": changed, "updated_at": changed, "completed_at": done}

    def _required_by(self, status: Status) -> dict[str, Any]:
        required: dict[Status, dict[str, Any]] = {
            Status.COMPLETED: {"summary": "Done as described; the whole work is in the artifact."},
            Status.BLOCKED: {"reason": "The password of the staging server is missing."},
            Status.NEEDS_REVISION: {"review_comment": "Say what happens when the disk is full."},
            Status.ACTIVE: {
                "lease_number": 1,
                "lease_session": self._session,
                "lease_holder": "Claude Code",
                "lease_expires_at": self._now + timedelta(hours=6),
                "started_at": self._now,
            },
        }
        return required.get(status, {})

    def _edges(self, leaves: list[Task]) -> Iterator[Dependency]:
        for start in range(0, len(leaves), PLAN_SIZE):
            for place, needs in enumerate(_NEEDS):
                for need in needs:
                    yield Dependency(task=leaves[start + place], depends_on=leaves[start + need])

    def _serial(self, number: int) -> int:
        """Ids of all projects of one run differ."""
        return self._project.pk * 1_000_000 + number
