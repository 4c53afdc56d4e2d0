"""The board: leaves as cards in a column per status, in a constant number of queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Left
from django.utils import timezone

from artifacts.selectors.artifacts import count_by_task
from orchestrator_site.kernel.identity import Scope
from tasks.choices import FINISHED, Status, Verb
from tasks.models import Event, Project, Task, TaskQuerySet
from tasks.selectors.available_actions import offers_for
from tasks.selectors.blockers import count_waits
from tasks.selectors.board import PANEL_ROWS, Filters
from tasks.selectors.rows import ROW_FIELDS

CARDS, MORE_CARDS, MOST_CARDS = 20, 40, 200  # cards of a column at first, per click on more, and at most
MATCHES = 1_000  # tasks that a search narrows the board to, at most
IDS_FOUND, BEST, BELOW = 200, 200, 2_000
"""Tasks that the start of an id finds; matches kept if a search finds too many; leaves below those."""
HOLDERS = 50

NOTE = 160
_NOTES = dict.fromkeys((Status.BLOCKED, Status.FAILED, Status.CANCELLED), "reason")
_NOTES |= {Status.IN_REVIEW: "summary", Status.NEEDS_REVISION: "review_comment"}
GROUPS: dict[str, Callable[[Task], tuple[str, str]]] = {
    "plan": lambda task: ((task.root or task).title, (task.root or task).public_id),
    "specialist": lambda task: (task.specialist, ""),
}
"""The name of the lane that a card is in, and the id of its plan."""
SESSION_FIELDS = ("lease_session__public_id", "lease_session__principal")
_CARD_FIELDS = (*ROW_FIELDS, "root__public_id", "root__title", *SESSION_FIELDS)


@dataclass(slots=True)
class Card:
    """A task of the board. Pages fill in `finding`: what maintenance found about it, in words."""

    task: Task
    lease_is_over: bool
    has_menu: bool
    waits_for: int = 0
    needed_by: int = 0
    artifacts: int = 0
    finding: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """The cards of a status that are shown, and how many there are."""

    status: Status
    cards: list[Card]
    total: int
    is_folded: bool = False

    @property
    def is_finished(self) -> bool:
        return self.status in FINISHED

    @property
    def rest(self) -> int:
        return self.total - len(self.cards)

    @property
    def more(self) -> int:
        """How many a click on more would show; 0 if there are no more."""
        return min(len(self.cards) + MORE_CARDS, MOST_CARDS) if self.rest and len(self.cards) < MOST_CARDS else 0


@dataclass(frozen=True, slots=True)
class CardBoard:
    """`is_cut`: the search matched more tasks than the board can narrow to. `opened`: the column of small screens."""

    columns: list[Column]
    is_cut: bool
    opened: str

    @property
    def total(self) -> int:
        return sum(column.total for column in self.columns)

    @property
    def has_several_plans(self) -> bool:
        return len({card.task.plan_id for column in self.columns for card in column.cards}) > 1

    def lanes(self, group: str) -> list[tuple[str, str, list[tuple[Column, list[Card]]]]]:
        """Return swimlanes in the order of their names: the name, the plan's id, and the cards of each column."""
        lanes: dict[tuple[str, str], dict[str, list[Card]]] = defaultdict(lambda: defaultdict(list))
        for column in self.columns:
            for card in column.cards:
                lanes[GROUPS[group](card.task)][column.status].append(card)
        return [
            (name, plan, [(column, cards[column.status]) for column in self.columns])
            for (name, plan), cards in sorted(lanes.items())
        ]


def board_of(
    project: Project,
    *,
    filters: Filters,
    plan: Task | None,
    shown: Mapping[str, int],
    scopes: Iterable[Scope],
    matches: Sequence[int] = (),
    opened: str = "",
) -> CardBoard:
    """Return a project's leaves by status, those of finished statuses only if `opened`.

    `plan` is what `filters.plan` names; `shown` overrides how many cards of a status; `matches` are the results of a
    search.
    """
    keys, is_cut = _found(project, filters.q, list(matches)) if filters.q else (None, False)
    found = _matching(project, plan, filters, keys)
    totals: dict[str, int] = dict(found.order_by().values_list("status").annotate(Count("pk")))
    folded = [status for status in FINISHED if status != opened]
    read = [status for status in Status if totals.get(status) and status not in folded]
    rows = {status: _rows(found, filters, status, shown.get(status, CARDS)) for status in read}
    cards = _cards([task for of_status in rows.values() for task in of_status], frozenset(scopes))
    columns = [
        Column(status, [cards[task.pk] for task in rows.get(status, ())], totals.get(status, 0), status in folded)
        for status in Status
    ]
    unfolded = (column.status for column in columns if column.total and not column.is_folded)
    return CardBoard(columns, is_cut, opened or next(unfolded, Status.PENDING))


def _matching(project: Project, plan: Task | None, filters: Filters, keys: list[int] | None) -> TaskQuerySet:
    if filters.plan and plan is None:
        return Task.objects.none()
    found = _within(project, plan, keys).on_board().leaves()
    if filters.specialist:
        found = found.filter(specialist=filters.specialist)
    if filters.holder:  # only active leaves are held
        found = found.filter(status=Status.ACTIVE, lease_holder__icontains=filters.holder)
    if filters.priority:
        found = found.filter(priority=filters.priority)
    return found.filter(is_ready=True) if filters.ready else found


def _within(project: Project, plan: Task | None, keys: list[int] | None) -> TaskQuerySet:
    """Narrow by one thing that has an index: the keys, else the plan, else the project."""
    if plan is not None:
        of_plan = Task.objects.filter(pk=plan.pk) if plan.is_leaf else Task.objects.filter(root=plan)
        return of_plan if keys is None else of_plan.filter(pk__in=keys)
    return Task.objects.filter(project=project) if keys is None else Task.objects.filter(pk__in=keys)


def _found(project: Project, text: str, keys: list[int]) -> tuple[list[int], bool]:
    """Return the keys that a search and the start of an id match, and whether there are more.

    If there are too many, the best matches are often plans, so their leaves are included.
    """
    is_cut = len(keys) >= MATCHES
    if is_cut:
        below = Task.objects.filter(root__in=keys[:BEST]).leaves().order_by().values_list("pk", flat=True)
        keys = [*keys[:BEST], *below[:BELOW]]
    if "_" in text and " " not in text:
        named = Task.objects.filter(project=project, public_id__startswith=text).order_by()
        keys += named.values_list("pk", flat=True)[:IDS_FOUND]
    return keys, is_cut


def _rows(found: TaskQuerySet, filters: Filters, status: Status, number: int) -> list[Task]:
    rows = found.filter(status=status).select_related("root", "lease_session").only(*_CARD_FIELDS)
    rows = rows.annotate(note=Left(_NOTES[status], NOTE) if status in _NOTES else Value(""))
    if status != Status.PENDING:
        return list(rows.order_by(*_order(filters))[:number])
    ready: list[Task] = list(rows.ready()[:number])
    if filters.ready or len(ready) == number:
        return ready
    waiting = rows.filter(is_ready=False).order_by(*(["position"] if filters.plan else _order(filters)))
    return ready + list(waiting[: number - len(ready)])


def _order(filters: Filters) -> tuple[str, ...]:
    """The last changed first; for one specialist the newest, which is the order of its index."""
    return ("-id",) if filters.specialist and not filters.plan else ("-updated_at", "-id")


def _cards(tasks: list[Task], scopes: frozenset[Scope]) -> dict[int, Card]:
    now = timezone.now()
    cards = {task.pk: _card(task, now, scopes) for task in tasks}
    (waits_for, needed_by), artifacts = count_waits(tasks), count_by_task(cards)
    for key, card in cards.items():
        card.waits_for, card.needed_by = waits_for.get(key, 0), needed_by.get(key, 0)
        card.artifacts = artifacts.get(key, 0)
    return cards


def _card(task: Task, now: datetime, scopes: frozenset[Scope]) -> Card:
    is_over = task.status == Status.ACTIVE and task.lease_is_over(now)
    return Card(task, lease_is_over=is_over, has_menu=bool(offers_for(task, scopes)))


def with_offers(tasks: Iterable[Task], scopes: Iterable[Scope]) -> set[int]:
    granted = frozenset(scopes)
    return {task.pk for task in tasks if offers_for(task, granted)}


def moving(project: Project) -> list[Task]:
    active = Task.objects.filter(project=project, status=Status.ACTIVE).on_board().leaves()
    rows = since_claimed(active).select_related("lease_session").only(*ROW_FIELDS, *SESSION_FIELDS)
    return list(rows.order_by("-updated_at", "-id")[:PANEL_ROWS])


def since_claimed(tasks: QuerySet[Task]) -> QuerySet[Task]:
    """Annotate tasks with `claimed_at`: an edit changes a task but does not restart its work."""
    claims = Event.objects.filter(task=OuterRef("pk"), verb=Verb.CLAIM).order_by("-id")
    return tasks.annotate(claimed_at=Subquery(claims.values("created_at")[:1]))


def holders_seen(project: Project) -> list[str]:
    active = Task.objects.filter(project=project, status=Status.ACTIVE).on_board().leaves()
    newest = active.order_by("-updated_at").values_list("lease_holder", flat=True)
    return sorted(set(newest[:HOLDERS]) - {""})
