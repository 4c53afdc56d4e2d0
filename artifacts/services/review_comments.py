"""Send line comments with a verdict, in one text that comes first in the next brief; each exactly once."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils import timezone

from artifacts.models import ArtifactVersion, ReviewComment
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
    unsent = list(ReviewComment.objects.unsent(task).prefetch_related("version__artifact__paths"))
    if unsent:
        keys = [comment.pk for comment in unsent]
        ReviewComment.objects.filter(pk__in=keys, sent_at__isnull=True).update(sent_at=timezone.now())
    return composed(words, unsent), len(unsent)


def count_unsent(task: Task) -> int:
    """Return how many drafts the next verdict on a task sends."""
    return ReviewComment.objects.unsent(task).count()


def composed(words: str, comments: Sequence[ReviewComment]) -> str:
    """Return a reviewer's overall and line comments as one text."""
    return "\n\n".join(filter(None, [words.strip(), *map(_said, comments)]))


def _said(comment: ReviewComment) -> str:
    if comment.version is None:
        return comment.text
    lines = f" {comment.lines}" if comment.lines else ""
    quote = f": {_code(comment.quote)}" if comment.quote else ":"
    return f"{_named(comment.version)}{lines}{quote}\n" + "\n".join(f"  {line}" for line in comment.text.split("\n"))


def _named(version: ArtifactVersion) -> str:
    paths = version.artifact.paths.all()[:1]
    return f"{version.artifact.public_id} v{version.number}" + (f", {paths[0].path}" if paths else "")


def _code(quote: str) -> str:
    """Quote a line of code, which may contain backticks."""
    line = shortened(quote, _QUOTED)
    return f"`` {line} ``" if "`" in line else f"`{line}`"
