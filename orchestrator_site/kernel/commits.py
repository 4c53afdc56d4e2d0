"""What a call has committed by now, and what has to follow a commit: a committed change never becomes an error."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from django.db import transaction

logger = logging.getLogger(__name__)

UNCHANGED = "Nothing was changed."


@dataclass
class Call:
    """One call of one caller: whether a transaction of it may be committed, and which duties after that failed."""

    may_have_committed: bool = False
    failed: list[str] = field(default_factory=list)
    """The jobs that do later what failed."""

    @property
    def warnings(self) -> list[str]:
        return [f"It is done, but what {job} does failed; the job does it again soon." for job in self.failed]


_current: ContextVar[Call | None] = ContextVar("call", default=None)


@contextmanager
def watched() -> Iterator[Call]:
    """Note what happens to the commits of this call, for its answer."""
    token = _current.set(call := Call())
    try:
        yield call
    finally:
        _current.reset(token)


def note_commit() -> None:
    """The database calls this when a transaction is, or may be, committed."""
    if call := _current.get():
        call.may_have_committed = True


def unchanged() -> str:
    """Return the sentence that nothing was changed, if that is known. Nothing else says it of a failed call."""
    call = _current.get()
    return UNCHANGED if call is not None and not call.may_have_committed else ""


def after_commit(duty: Callable[[], object], *, repeated_by: str) -> None:
    """Run a duty after the transaction. If it fails, the job `repeated_by` does it later, and the answer says so.

    Further duties of that job are left to it too: a database that is locked for long would delay each of them.
    """

    def run() -> None:
        call = _current.get() or Call()
        if repeated_by in call.failed:
            return
        try:
            duty()
        except Exception:  # the outermost edge: what is committed stays done, whatever follows it
            logger.exception("What follows a commit failed; the job %s does it later.", repeated_by)
            call.failed.append(repeated_by)

    transaction.on_commit(run)
