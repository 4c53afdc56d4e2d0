"""Comment on a delivery, as a draft until a verdict sends it."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from artifacts.models import ArtifactVersion, ReviewComment
from artifacts.services.review_comments import COMMENTS_LIMIT, composed
from artifacts.storage import slices
from orchestrator_site.kernel.commits import unchanged
from orchestrator_site.kernel.errors import Conflict, Forbidden, Invalid
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.kernel.limits import require_texts
from orchestrator_site.kernel.text import storable
from tasks import events
from tasks.choices import Verb
from tasks.identity.actor import Actor
from tasks.models import Task
from tasks.services.claim import locked

_QUOTED = 200
_LONGEST_LINE = 100_000


def comment(
    *,
    task: Task,
    actor: Actor,
    text: str,
    version: ArtifactVersion | None = None,
    line: int | None = None,
    end_line: int | None = None,
) -> ReviewComment:
    """Store a comment on a task, on a version of an artifact, or on its lines `line` to `end_line`, from 1.

    Raises Forbidden for an actor that may not review, Invalid for an empty or too long text and for missing lines,
    Conflict where the task is archived.
    """
    actor.require(Scope.REVIEW)
    text = text.strip().replace("\r\n", "\n")
    if not text:
        raise Invalid("text: a comment is required.", next="Write one and retry.")
    require_texts(reason=text)
    line, end_line = _lines(task, version, line, end_line)
    quote = ""
    if version is not None and line is not None:  # nothing of a line that is too long to read
        quote = storable(slices.lines(version.content, line - 1, 1, most=_LONGEST_LINE).text.strip())[:_QUOTED]
    with transaction.atomic():
        held = locked(task)
        if held.archived_at is not None:
            raise Conflict(f"{held.public_id} is archived.", next="Restore it first.")
        made = ReviewComment(
            task=held, version=version, line=line, end_line=end_line, quote=quote, text=text, author=actor.name
        )
        _require_fit([*ReviewComment.objects.unsent(held), made])
        made.save(force_insert=True)
        events.record(actor=actor, verb=Verb.COMMENT, project=held.project_id, task=held, after=_facts(made))
    return made


def withdraw_comment(*, comment: ReviewComment, actor: Actor) -> None:
    """Delete one's own draft.

    Raises Forbidden for an actor that may not review or did not write it, Conflict where it was sent or is gone.
    """
    actor.require(Scope.REVIEW)
    if comment.author != actor.name:
        raise Forbidden(f"This comment is {comment.author}'s.", next="Ask its author to withdraw it.")
    with transaction.atomic():
        task = locked(comment.task)
        gone, _ = ReviewComment.objects.filter(pk=comment.pk, sent_at__isnull=True).delete()
        if not gone:
            raise Conflict("The comment was already sent or withdrawn.", next="Write a new comment to add to it.")
        events.record(actor=actor, verb=Verb.COMMENT, project=task.project_id, task=task, before=_facts(comment))


def _lines(
    task: Task, version: ArtifactVersion | None, line: int | None, end_line: int | None
) -> tuple[int | None, int | None]:
    """Check that the version belongs to the task and has the lines; a single one is both ends."""
    if version is not None and version.artifact.task_id != task.pk:
        raise Invalid(
            f"{version.artifact.public_id} does not belong to {task.public_id}.", next="Comment on its own task."
        )
    line = end_line if line is None else line
    if line is None:
        return None, None
    end_line = line if end_line is None else end_line
    total = (version.content.size_lines or 0) if version else 0
    if not 1 <= line <= end_line <= total:
        said = f"lines {line:,} to {end_line:,}: " if line != end_line else f"line {line:,}: "
        raise Invalid(
            f"{said}the artifact has {total:,} lines." if total else f"{said}this artifact has no lines.",
            next="Send existing lines in ascending order, or none.",
        )
    return line, end_line


def _require_fit(comments: list[ReviewComment]) -> None:
    size = len(composed("", comments))
    if size > COMMENTS_LIMIT:
        raise Invalid(
            f"text: the drafts would have {size:,} characters together; the limit is {COMMENTS_LIMIT:,}.",
            next=f"{unchanged()} Shorten it, withdraw a comment, or request the revision first.".lstrip(),
        )


def _facts(comment: ReviewComment) -> dict[str, Any]:
    """What the event holds: where the comment is, but not the draft itself, since assistants read events."""
    if comment.version is None:
        return {"about": "all of the work"}
    facts = {"artifact": f"{comment.version.artifact.public_id} v{comment.version.number}"}
    return {**facts, "lines": comment.lines} if comment.lines else facts
