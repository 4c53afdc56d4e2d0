"""Send line comments with a verdict, in one text that comes first in the next brief; each exactly once."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils import timezone

from artifacts.models import ReviewComment
from orchestrator_site.kernel.limits import LIMITS
from orchestrator_site.kernel.text import shortened
from tasks.models import Task

COMMENTS_LIMIT = LIMITS["reason"]
"""Characters of a verdict with its line comments."""
_QUOTED = 120


def take_comments(task: Task, words: str) -> tuple[str, int]:
    """Mark the drafts on a task as sent; return the words with them, and how many there are.

    Call it with the task's row locked, in the transaction of the verdict, whose rollback unsends them.
    """
    unsent = list(ReviewComment.objects.unsent(task))
    if unsent:
        keys = [comment.pk for comment in unsent]
        ReviewComment.objects.filter(pk__in=keys, sent_at__isnull=True).update(sent_at=timezone.now())
    return composed(words, unsent), len(unsent)


def count_unsent(task: Task) -> int:
    return ReviewComment.objects.unsent(task).count()


def composed(words: str, comments: Sequence[ReviewComment]) -> str:
    """Return a reviewer's overall and line comments as one text."""
    return "\n\n".join(filter(None, [words.strip(), *map(_said, comments)]))


def _said(comment: ReviewComment) -> str:
    version = comment.version
    if version is None:
        return comment.text
    path = "".join(f", {each.path}" for each in version.artifact.paths.all()[:1])
    lines = f" {comment.lines}" if comment.lines else ""
    code = shortened(comment.quote, _QUOTED)
    quote = f" `` {code} ``" if "`" in code else f" `{code}`" if code else ""
    text = "\n".join(f"  {line}" for line in comment.text.split("\n"))
    return f"{version.artifact.public_id} v{version.number}{path}{lines}:{quote}\n{text}"
