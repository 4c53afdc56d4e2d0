"""The figures equal a recount of the rows by plain SQL, on a random history made through the services."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import pytest
from django.db import connection

from tasks.insights.choices import Dimension, Name
from tasks.insights.selectors.figures import Figure, Figures, count, window_of
from tests.insights.histories import CLIENTS, History

pytestmark = pytest.mark.django_db
_BASE = """
WITH said AS (
  SELECT e.id, e.task_id, e.verb, e.created_at AS at, e.after ->> 'status' AS status, e.after ->> 'reason' AS reason,
    e.after ->> 'lease_ended_at' AS ended,
    SUM(CASE WHEN e.verb = 'claim' THEN 1 ELSE 0 END) OVER (PARTITION BY e.task_id ORDER BY e.id) AS lease
  FROM tasks_event e JOIN tasks_task t ON t.id = e.task_id WHERE t.project_id = %(project)s AND t.is_leaf
), moves AS (
  SELECT said.*, LAG(status) OVER w AS was, LEAD(at) OVER w AS next_at,
    ROW_NUMBER() OVER (PARTITION BY task_id ORDER BY id DESC) AS back
  FROM said WHERE status IS NOT NULL WINDOW w AS (PARTITION BY task_id ORDER BY id)
), ends AS (
  SELECT task_id, at FROM moves WHERE status = 'completed' AND COALESCE(was, '') <> 'completed'
), done AS (
  SELECT task_id, MAX(at) AS at FROM ends
  WHERE task_id IN (SELECT task_id FROM moves WHERE back = 1 AND status = 'completed')
  GROUP BY task_id HAVING MAX(at) >= %(start)s
)
"""
_DONE = "SELECT task_id FROM done"
_LEAD = """SELECT said.at, done.at FROM done JOIN said ON said.task_id = done.task_id AND said.verb = 'plan'"""
_WORK = """SELECT moves.task_id, moves.at, moves.next_at, closed.ended
  FROM moves JOIN done ON done.task_id = moves.task_id
  LEFT JOIN said closed ON closed.task_id = moves.task_id AND closed.lease = moves.lease AND closed.verb = 'release'
  WHERE moves.verb = 'claim'"""
_WAIT = """SELECT begun.at, planned.at, (
    SELECT MAX(need.created_at) FROM tasks_dependency d JOIN tasks_event need ON need.task_id = d.depends_on_id
    WHERE d.task_id = begun.task_id AND need.created_at <= begun.at AND need.after ->> 'status' = 'completed'
      AND need.before ->> 'status' <> 'completed')
  FROM (SELECT task_id, MIN(at) AS at FROM said WHERE verb = 'claim' GROUP BY task_id) begun
  JOIN said planned ON planned.task_id = begun.task_id AND planned.verb = 'plan' WHERE begun.at >= %(start)s"""
_REVIEW_WAIT = """SELECT at, next_at FROM moves JOIN tasks_task t ON t.id = moves.task_id
  WHERE moves.status = 'in_review' AND (next_at >= %(start)s OR (next_at IS NULL AND t.archived_at IS NULL))"""
_VERDICTS = """SELECT verb, (SELECT COUNT(*) FROM said earlier WHERE earlier.id < judged.id
    AND earlier.task_id = judged.task_id AND earlier.verb = 'request_revision')
  FROM (SELECT said.*, LAG(verb) OVER (PARTITION BY task_id ORDER BY id) AS before FROM said
    WHERE verb IN ('approve', 'request_revision', 'claim')) judged
  WHERE verb <> 'claim' AND NOT (verb = 'approve' AND before = 'approve') AND at >= %(start)s"""
_COMPLETIONS = """SELECT task_id, at, (SELECT MIN(back.at) FROM moves back WHERE back.task_id = ends.task_id
    AND back.was = 'completed' AND back.verb = 'request_revision' AND back.at >= ends.at) FROM ends
  WHERE at >= %(start)s"""
_REVISIONS = """SELECT task_id, lease, at, CASE WHEN was = 'completed' THEN (
    SELECT MAX(ends.at) FROM ends WHERE ends.task_id = moves.task_id AND ends.at <= moves.at) END
  FROM moves WHERE verb = 'request_revision'"""
_ATTEMPTS = """SELECT a.task_id, a.lease_number, a.client, a.outcome, a.ended_at, (
    SELECT COUNT(*) FROM said WHERE said.task_id = a.task_id AND said.lease = a.lease_number AND said.verb = 'release'
      AND (said.ended IS NOT NULL OR said.reason = 'Taken over.')), (
    SELECT COUNT(*) FROM moves WHERE moves.task_id = a.task_id AND moves.lease = a.lease_number AND moves.back = 1
      AND moves.status = 'in_review')
  FROM tasks_attempt a JOIN tasks_task t ON t.id = a.task_id WHERE t.project_id = %(project)s AND t.is_leaf
  ORDER BY a.task_id, a.lease_number"""
Said = tuple[int, float, float | None]  # n, value, high


@pytest.fixture
def history(monkeypatch: pytest.MonkeyPatch) -> History:
    history = History(monkeypatch)
    history.live(12, 700)
    return history


def test_the_figures_equal_a_recount(history: History) -> None:
    figures = count(history.project, window_of(history.project))
    counted = _Recount(history)
    assert _said(figures, "lead", "wait", "work", "review_wait", "first_pass", "reopened", "lease_loss", "done") == {
        "lead": counted.times((planned, done) for planned, done in counted.rows(_LEAD)),
        "wait": counted.times((needed or planned, begun) for begun, planned, needed in counted.rows(_WAIT)),
        "work": counted.work(),
        "review_wait": counted.times((since, until or history.now) for since, until in counted.rows(_REVIEW_WAIT)),
        "first_pass": _rate([verb == "approve" and not earlier for verb, earlier in counted.rows(_VERDICTS)]),
        "reopened": counted.reopened(),
        "lease_loss": _rate([lost for *_, ended, lost, _ in counted.attempts() if ended >= counted.start]),
        "done": (len(counted.rows(_DONE)),) * 2 + (None,),
    }
    assert all(figure.n >= 5 for figure in (figures.get(name) for name in _COMPARED) if figure)


_COMPARED = (Name.LEAD, Name.WAIT, Name.WORK, Name.REVIEW_WAIT, Name.FIRST_PASS, Name.LEASE_LOSS, Name.SUCCESS)


def test_success_equals_a_recount_for_the_project_and_each_client(history: History) -> None:
    figures = count(history.project, window_of(history.project))
    scores = _Recount(history).scores()
    whole = figures.get(Name.SUCCESS)
    assert whole and _facts(whole) == _rate([score for of_client in scores.values() for score in of_client])
    assert {each.key: _facts(each) for each in figures.of(Name.SUCCESS, Dimension.CLIENT)} == {
        client: _rate(of_client) for client, of_client in scores.items() if client
    }
    assert set(scores) >= {client for client, _ in CLIENTS}


def _said(figures: Figures, *names: str) -> dict[str, Said]:
    return {name: _facts(found) for name in names if (found := figures.get(name))}


def _facts(figure: Figure) -> Said:
    return figure.n, pytest.approx(figure.value), figure.high


def _rate(values: Sequence[float]) -> Said:
    return len(values), sum(values) / len(values), None


class _Recount:
    def __init__(self, history: History) -> None:
        self.history = history
        self.start = window_of(history.project).start

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        values = {
            "project": self.history.project.pk,
            "start": connection.ops.adapt_datetimefield_value(self.start),
        }
        with connection.cursor() as cursor:
            cursor.execute(_BASE + query, values)
            return [tuple(map(_read, row)) for row in cursor.fetchall()]

    def times(self, pairs: Any) -> Said:
        return _times([(end - start).total_seconds() for start, end in pairs])

    def work(self) -> Said:
        by_task: dict[int, float] = defaultdict(float)
        for task, start, end, ended in self.rows(_WORK):
            by_task[task] += ((ended or end) - start).total_seconds()
        return _times(by_task.values())

    def reopened(self) -> Said:
        by_task: dict[int, bool] = defaultdict(bool)
        for task, at, back in self.rows(_COMPLETIONS):
            by_task[task] |= back is not None and back - at <= timedelta(days=14)
        return _rate(list(by_task.values()))

    def attempts(self) -> list[tuple[Any, ...]]:
        return self.rows(_ATTEMPTS)

    def scores(self) -> dict[str, list[float]]:
        sent_back: Counter[tuple[int, int]] = Counter()
        for task, lease, at, completed in self.rows(_REVISIONS):
            sent_back[task, lease] += completed is None or at - completed <= timedelta(days=14)
        shares: dict[tuple[int, str], list[tuple[Any, ...]]] = defaultdict(list)
        for row in self.attempts():
            task, _, client, outcome, _, lost, _ = row
            if lost or outcome in ("complete", "request_revision", "fail"):
                shares[task, client].append(row)
        found: dict[str, list[float]] = defaultdict(list)
        for (task, client), rows in shares.items():
            *_, (*_, ended, _, waits) = rows
            if ended >= self.start and not waits:
                is_lost = any(outcome == "fail" or lost for *_, outcome, _, lost, _ in rows)
                times = sum(sent_back[task, row[1]] for row in rows)
                found[client].append(0 if is_lost or times > 1 else 1 - times / 2)
        return found


def _times(values: Any) -> Said:
    seconds = sorted(values)
    return len(seconds), pytest.approx(median(seconds)), seconds[-(-9 * len(seconds) // 10) - 1]


def _read(value: Any) -> Any:
    """Read a time, which SQLite keeps as text, without its zone."""
    try:
        at = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return value
    return at if at.tzinfo else at.replace(tzinfo=UTC)
