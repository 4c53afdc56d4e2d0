"""Jobs of insights."""

from __future__ import annotations

from datetime import timedelta

from maintenance.registry import MINUTE, job
from tasks.insights.services.figures import count_everywhere
from tasks.insights.services.learn import learn_all
from tasks.insights.services.next_task import settle_claims
from tasks.insights.services.suggestions import delete_open

_LEARNING_SECONDS = 40


@job("count_figures", every=timedelta(hours=1), timeout=timedelta(minutes=4))
def count_figures() -> str:
    """Count the figures of the day, in the time zone of each project that has moved since they were counted."""
    return count_everywhere()


@job("learn", every=MINUTE)
def learn() -> str:
    """Learn which specialists were chosen for what, from the events of every project; and what sessions took next."""
    settle_claims()
    done = learn_all(seconds=_LEARNING_SECONDS)
    return f"Learned from {done.steps} changes." + (" More are waiting." if done.has_more else "")


@job("delete_old_suggestions", every=timedelta(days=1), timeout=timedelta(minutes=2))
def delete_old_suggestions() -> str:
    """Delete suggestions after which nothing was chosen within 90 days."""
    return f"Deleted {delete_open()} suggestions."
