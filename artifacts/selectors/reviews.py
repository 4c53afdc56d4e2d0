"""What waits for a review or a person, and what was said about a task so far."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Count, F, Max, Q, Sum

from artifacts.models import Artifact, ReviewComment
from tasks.choices import Status, Verb
from tasks.models import Event, Project, Task, TaskQuerySet
from tasks.selectors.rows import ROW_FIELDS, Rows, page_of

PER_PAGE = 25
OTHERS = 10
ROUNDS = 40
COMMENTS = 500
_DELIVERED = (Verb.COMPLETE, Verb.FINISH)
_TOLD = (*_DELIVERED, Verb.HAND_BACK, Verb.REQUEST_REVISION, Verb.APPROVE)


@dataclass(frozen=True, slots=True)
class Waiting:
    task: Task
    delivered: Event | None
    rounds: int  # how often it was sent back
    artifacts: int
    size_bytes: int
    version: int  # the highest version of its artifacts


def to_review(project: Project | None = None) -> TaskQuerySet:
    return _on_board(project, Status.IN_REVIEW).order_by("updated_at", "-pk")  # as the index runs


def inbox(project: Project | None, *, page: int) -> Rows[Waiting]:
    found = page_of(_with_plan(to_review(project)), page=page, size=PER_PAGE)
    return Rows(list(_known(found.items)), found.page, found.first, found.has_next, found.total)


def others(project: Project | None) -> list[Task]:
    """Return what else waits for a person, the oldest first within each status, one more than a page shows."""
    return [
        task
        for status in (Status.BLOCKED, Status.FAILED)
        for task in _with_plan(_on_board(project, status).order_by("updated_at", "-pk"))[: OTHERS + 1]
    ]


def neighbours(task: Task, project: Project | None) -> dict[str, Task | int | None]:
    """Return the reviews before and after, the place of this one, and how many there are."""
    rows = to_review(project).only("public_id", "title")
    found: dict[str, Task | int | None] = {"total": rows.count(), "place": 0, "earlier": None}
    if task.status != Status.IN_REVIEW:  # decided: the next is the one that has waited longest
        return found | {"later": rows.first()}
    at, pk = task.updated_at, task.pk
    before = rows.filter(~Q(updated_at=at, pk__lte=pk), updated_at__lte=at)
    later = rows.filter(~Q(updated_at=at, pk__gte=pk), updated_at__gte=at).first()
    return found | {"place": before.count() + 1, "earlier": before.reverse().first(), "later": later}


def number_blocked_by(task: Task) -> int:
    return Task.objects.filter(dependencies__depends_on=task).distinct().count()


def _on_board(project: Project | None, status: Status) -> TaskQuerySet:
    tasks = Task.objects.filter(status=status).on_board()
    # Naming all projects lets the database use the index by project.
    return tasks.filter(project=project) if project else tasks.filter(project__in=Project.objects.values("pk"))


def _with_plan(tasks: TaskQuerySet) -> TaskQuerySet:
    plan = ("project__slug", "project__name", "root__public_id", "root__title")
    return tasks.select_related("project", "root").only(*ROW_FIELDS, "reason", "summary", *plan)


def _known(tasks: Sequence[Task]) -> Iterable[Waiting]:
    keys = [task.pk for task in tasks]
    seen = Event.objects.filter(task__in=keys, verb__in=[*_DELIVERED, Verb.REQUEST_REVISION]).order_by()
    last: dict[int | None, int] = {}
    rounds: dict[int | None, int] = {}
    for key, verb, newest, number in seen.values_list("task", "verb").annotate(Max("id"), Count("id")):
        if verb == Verb.REQUEST_REVISION:
            rounds[key] = number
        else:
            last[key] = max(newest, last.get(key, 0))
    events = {event.task_id: event for event in Event.objects.filter(pk__in=last.values()).select_related("session")}
    latest = Artifact.objects.filter(task__in=keys, versions__number=F("version")).order_by()
    rows = latest.values_list("task").annotate(Count("pk"), Sum("versions__content__size_bytes"), Max("version"))
    totals = {key: (number, size, version) for key, number, size, version in rows}
    for task in tasks:
        number, size, version = totals.get(task.pk, (0, 0, 0))
        yield Waiting(task, events.get(task.pk), rounds.get(task.pk, 0), number, size, version)


@dataclass(slots=True)
class Round:
    event: Event
    comments: list[ReviewComment] = field(default_factory=list)

    @property
    def is_delivery(self) -> bool:
        return self.event.verb in _DELIVERED

    @property
    def words(self) -> str:
        return str(self.event.after.get("comment") or "")


@dataclass(frozen=True, slots=True)
class Conversation:
    """What was delivered and said so far, newest first, and the drafts."""

    rounds: list[Round]
    drafts: list[ReviewComment]
    sent: list[ReviewComment]

    @property
    def delivered(self) -> Event | None:
        return next((each.event for each in self.rounds if each.is_delivery), None)

    @property
    def number(self) -> int:
        return 1 + sum(each.event.verb == Verb.REQUEST_REVISION for each in self.rounds)

    @property
    def sent_back_at(self) -> datetime | None:
        """When the task was sent back before its latest delivery; None for a first one."""
        verbs = iter(self.rounds)
        next((each for each in verbs if each.is_delivery), None)
        return next((each.event.created_at for each in verbs if each.event.verb == Verb.REQUEST_REVISION), None)


def conversation(task: Task) -> Conversation:
    events = Event.objects.filter(task=task, verb__in=_TOLD).select_related("session").order_by("-id")
    rounds = [Round(event) for event in events[:ROUNDS]]
    comments = ReviewComment.objects.filter(task=task).prefetch_related("version__artifact__paths")
    newest = list(comments.order_by("-id")[:COMMENTS])[::-1]
    sent = [comment for comment in newest if comment.sent_at]
    verdicts = [each for each in rounds if each.event.after.get("comments")]
    for comment in sent:
        # Comments are marked as sent just before the event of their verdict is written.
        later = [each for each in verdicts if comment.sent_at and each.event.created_at >= comment.sent_at]
        if later:
            later[-1].comments.append(comment)
    return Conversation(rounds, [comment for comment in newest if not comment.sent_at], sent)
