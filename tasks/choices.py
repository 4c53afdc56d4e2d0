"""Statuses, verbs, complexities and priorities."""

from __future__ import annotations

from django.db import models


class Status(models.TextChoices):
    PENDING = "pending", "Pending"
    ACTIVE = "active", "Active"
    IN_REVIEW = "in_review", "In review"
    NEEDS_REVISION = "needs_revision", "Needs revision"
    BLOCKED = "blocked", "Blocked"
    FAILED = "failed", "Failed"
    COMPLETED = "completed", "Completed"
    CANCELLED = "cancelled", "Cancelled"


FINISHED = (Status.COMPLETED, Status.CANCELLED)
CLAIMABLE = (Status.PENDING, Status.NEEDS_REVISION)
WAITS_FOR_A_PERSON = (Status.IN_REVIEW, Status.BLOCKED, Status.FAILED)


class Verb(models.TextChoices):
    """What can happen to a task. START, FINISH, RESUME and SPLIT follow from its subtasks."""

    PLAN = "plan", "planned"
    EDIT = "edit", "edited"
    CLAIM = "claim", "claimed"
    COMPLETE = "complete", "completed"
    HAND_BACK = "hand_back", "handed back for revision"
    APPROVE = "approve", "approved"
    REQUEST_REVISION = "request_revision", "sent back for revision"
    BLOCK = "block", "blocked"
    UNBLOCK = "unblock", "unblocked"
    FAIL = "fail", "marked failed"
    RETRY = "retry", "retried"
    RELEASE = "release", "released"
    CANCEL = "cancel", "cancelled"
    REOPEN = "reopen", "reopened"
    ARCHIVE = "archive", "archived"
    RESTORE = "restore", "restored"
    DEPENDENCY_ARCHIVED = "dependency_archived", "archived a dependency"
    DEPENDENCY_RESTORED = "dependency_restored", "restored a dependency"
    PURGE = "purge", "purged"
    IMPORT = "import", "imported"

    DEFER = "defer", "deferred"
    BOOST = "boost", "boosted"
    ASSIGN = "assign", "assigned"

    START = "start", "started with its first subtask"
    FINISH = "finish", "finished with its last subtask"
    RESUME = "resume", "resumed by a subtask"
    SPLIT = "split", "split into subtasks"

    RUN = "run", "changed a run"
    OPEN_SESSION = "open_session", "opened a session"
    END_SESSION = "end_session", "ended a session"
    DELIVER = "deliver", "delivered an artifact"
    GIVE_EVIDENCE = "give_evidence", "gave evidence"
    WAIVE = "waive", "waived a gate"
    MISS_GATE = "miss_gate", "tried to complete, with a gate unmet"
    HOLD = "hold", "took a resource"
    LET_GO = "let_go", "gave back a resource"
    COMMENT = "comment", "left a comment"

    CREATE_PROJECT = "create_project", "created the project"
    EDIT_PROJECT = "edit_project", "edited the project"
    EDIT_SPECIALIST = "edit_specialist", "edited a specialist"
    DELETE_SPECIALIST = "delete_specialist", "deleted a specialist"
    EDIT_TEMPLATE = "edit_template", "edited a template"
    DELETE_TEMPLATE = "delete_template", "deleted a template"
    EDIT_CONTEXT = "edit_context", "edited a context"
    EDIT_RESOURCE = "edit_resource", "edited a resource"
    DELETE_RESOURCE = "delete_resource", "deleted a resource"

    def done_to(self, what: str) -> str:
        """Return the past tense with an object: `sent this back for revision`. Some labels name their own object."""
        first, _, rest = self.label.partition(" ")
        if rest.split(" ")[0] in ("a", "an", "the"):
            return self.label
        return f"{first} {what} {rest}".rstrip()


class Complexity(models.TextChoices):
    SIMPLE = "simple", "Simple"
    MODERATE = "moderate", "Moderate"
    COMPLEX = "complex", "Complex"
    VERY_COMPLEX = "very_complex", "Very complex"


class Priority(models.IntegerChoices):
    """Stored as a number so that the database can order by it; every entry point shows the label."""

    LOW = 1, "low"
    NORMAL = 2, "normal"
    HIGH = 3, "high"
    URGENT = 4, "urgent"


class GateKind(models.TextChoices):
    """What has to be shown before a task can be completed."""

    COMMAND = "command", "Command"
    REPORT = "report", "Test report"
    COMMIT = "commit", "Commit"
    REVIEW = "review", "Review by another"
    APPROVAL = "approval", "Approval"


class Rung(models.IntegerChoices):
    """How far a piece of evidence can be trusted, from the holder's word to a person's."""

    CLAIMED = 0, "claimed"
    REPORTED = 1, "reported"
    OBSERVED = 2, "observed"
    VERIFIED = 3, "verified"
    APPROVED = 4, "approved"


class NoteKind(models.TextChoices):
    DECISION = "decision", "Decision"
    LEARNED = "learned", "Learned"


TAKEN_OVER = "Taken over."
"""The reason in the event of a release that was a take-over."""
