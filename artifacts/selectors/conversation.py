"""The conversation about a task: deliveries, questions and answers, revisions and approvals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from artifacts.models import ReviewComment
from tasks.choices import Verb
from tasks.models import Event, Task

TURNS = 40
_COMMENTS = 500
_FOLDED_FROM = 3
_VERDICTS = (Verb.REQUEST_REVISION, Verb.APPROVE)
_ENDINGS = (Verb.COMPLETE, Verb.HAND_BACK, Verb.FINISH)
_QUESTIONS = {Verb.BLOCK: "reason", Verb.UNBLOCK: "answer", Verb.FAIL: "reason", Verb.RETRY: "answer"}
_SAYS = {Verb.COMPLETE: "summary", **_QUESTIONS}


@dataclass(slots=True)
class Turn:
    """What one side said at once: a delivery with its artifacts, or a verdict with its comments on lines.

    `artifacts` are artifact ids with version numbers. A turn without an event holds comments that are not sent yet.
    """

    event: Event | None
    text: str = ""
    artifacts: list[tuple[str, int]] = field(default_factory=list)
    comments: list[ReviewComment] = field(default_factory=list)

    @property
    def is_verdict(self) -> bool:
        return self.event is None or self.event.verb in _VERDICTS


@dataclass(frozen=True, slots=True)
class Conversation:
    turns: list[Turn]

    @property
    def drafts(self) -> list[ReviewComment]:
        """Comments that are not sent yet."""
        return self.turns[-1].comments if self.turns and self.turns[-1].event is None else []


@dataclass(slots=True)
class Entry:
    """A line of the activity: a turn, an event, or several minor events in a row that are folded."""

    events: list[Event]
    turn: Turn | None = None

    @property
    def is_folded(self) -> bool:
        return len(self.events) >= _FOLDED_FROM


def activity(events: Sequence[Event], found: Conversation) -> list[Entry]:
    """Return events, newest first, as one stream of turns and events, oldest first."""
    turns = {turn.event.pk: turn for turn in found.turns if turn.event}
    entries: list[Entry] = []
    for event in reversed(events):
        if (turn := turns.get(event.pk)) is not None:
            entries.append(Entry([event], turn))
        elif entries and entries[-1].turn is None:
            entries[-1].events.append(event)
        else:
            entries.append(Entry([event]))
    return entries


def conversation(task: Task, until: Event | None = None) -> Conversation:
    """Return the last turns, up to an event if one is given, and the comments that are not sent yet."""
    rows = task.events.filter(verb__in=[*_VERDICTS, *_ENDINGS, *_QUESTIONS, Verb.DELIVER]).select_related("session")
    known = rows.filter(pk__lte=until.pk) if until else rows
    turns = list(_turns(reversed(known.order_by("-id")[:TURNS])))
    comments = ReviewComment.objects.filter(task=task).select_related("version__artifact")
    waiting = _with_comments(turns, list(comments.order_by("id")[:_COMMENTS]))
    return Conversation([*turns, Turn(None, comments=waiting)] if waiting else turns)


def _turns(events: Iterable[Event]) -> Iterable[Turn]:
    """Make a turn of each event; artifacts are delivered right before the event that completes the task."""
    artifacts: list[tuple[str, int]] = []
    for event in events:
        if event.verb == Verb.DELIVER:
            if "artifact_id" in event.after:
                artifacts.append((str(event.after["artifact_id"]), event.after.get("version", 1)))
            continue
        said = event.after.get(_SAYS.get(Verb(event.verb), "comment"), "")
        yield Turn(event, str(said), artifacts if event.verb in _ENDINGS else [])
        if event.verb in _ENDINGS:
            artifacts = []


def _with_comments(turns: list[Turn], comments: list[ReviewComment]) -> list[ReviewComment]:
    """Put each comment that was sent with the verdict that took it along; return the others."""
    verdicts = [(turn, turn.event.created_at) for turn in turns if turn.event and turn.is_verdict]
    for comment in comments:
        taken = next((turn for turn, at in verdicts if comment.sent_at and at >= comment.sent_at), None)
        if taken is not None:
            taken.comments.append(comment)
    return [comment for comment in comments if comment.sent_at is None]
