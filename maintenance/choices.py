"""The words of maintenance: actions, scopes, levels, causes and severities."""

from __future__ import annotations

from django.db import models


class Outcome(models.TextChoices):
    """How a run of a job ended."""

    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    DIED = "died", "Its process died"


class UpgradeOutcome(models.TextChoices):
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    RESTORED = "restored", "A backup was restored"


class State(models.TextChoices):
    """Where an operation is."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"


class Action(models.TextChoices):
    SCAN_CLEANUP = "scan_cleanup", "Scan for stale work"
    VALIDATE_STRUCTURE = "validate_structure", "Validate the structure"
    UPDATE_DOCUMENTATION = "update_documentation", "Update status documents"
    PREPARE_HANDOVER = "prepare_handover", "Prepare a handover"
    ARCHIVE = "archive", "Archive"
    RESTORE = "restore", "Restore"
    PURGE = "purge", "Purge"


class ScopeWord(models.TextChoices):
    CURRENT_SESSION = "current_session", "This session"
    FULL_PROJECT = "full_project", "The project"
    SPECIFIC_SUBTASK = "specific_subtask", "One task"


class Level(models.TextChoices):
    BASIC = "basic", "Basic"
    COMPREHENSIVE = "comprehensive", "Comprehensive"
    FULL_AUDIT = "full_audit", "Full audit"


class Severity(models.IntegerChoices):
    """Stored as a number so that the database can order by it."""

    INFO = 1, "info"
    WARNING = 2, "warning"
    ERROR = 3, "error"
    CRITICAL = 4, "critical"


class Cause(models.TextChoices):
    """What can be wrong. The first group is stale work, the second is structure, the third is stored content."""

    LEASE_OVER = "lease_over", "Its lease or session is over"
    HELD_SILENT = "held_silent", "Held, but silent"
    WAITS_FOR_STOPPED = "waits_for_stopped", "Waits for a task that was cancelled or failed"
    REVIEW_WAITS = "review_waits", "Review has waited long"
    BLOCKED_SILENT = "blocked_silent", "Blocked without news"
    REPEATED_FAILURE = "repeated_failure", "The same problem three times"
    GATE_UNMET = "gate_unmet", "The same attempt missed its gates three times"
    NEVER_CLAIMED = "never_claimed", "Ready, but never claimed"
    ORPHANED = "orphaned", "Open below a finished or archived parent"
    ABANDONED_PLAN = "abandoned_plan", "Abandoned plan"
    NEAR_DUPLICATE = "near_duplicate", "Possible duplicate"
    ARCHIVABLE = "archivable", "Can be archived"

    PARENT_LOOP = "parent_loop", "Parents in a loop"
    WRONG_ROOT = "wrong_root", "Wrong root, depth or project of a subtask"
    LEAF_WITH_CHILDREN = "leaf_with_children", "Marked as leaf or group, but is the other"
    GROUP_STATE = "group_state", "A group does not follow its subtasks"
    READY_MARK = "ready_mark", "The ready mark is wrong"
    CHAIN = "chain", "What waits for a task is counted wrongly"
    INHERITED_DEPENDENCY = "inherited_dependency", "Inherited dependencies are missing or left over"
    DEPENDENCY_CYCLE = "dependency_cycle", "Dependencies in a circle"
    FOREIGN_DEPENDENCY = "foreign_dependency", "Depends on a task of another project"
    WAITS_FOR_ARCHIVED = "waits_for_archived", "Waits for an archived task"
    ACTIVE_WITHOUT_LEASE = "active_without_lease", "Active without a session"
    REVIEW_WITHOUT_DELIVERY = "review_without_delivery", "In review without a delivery"
    COMPLETED_WITHOUT_WORK = "completed_without_work", "Completed without a summary"
    COMPLETED_WITHOUT_EVIDENCE = "completed_without_evidence", "Completed with gates, but without evidence"
    VERSION_COUNT = "version_count", "Versions of an artifact do not add up"
    UNKNOWN_SPECIALIST = "unknown_specialist", "Its specialist has no role"
    FUTURE_TIME = "future_time", "A time in the future"
    INDEX_BACKLOG = "index_backlog", "Not in the search index"

    CONTENT_DAMAGED = "content_damaged", "Content is missing or damaged"
    CONTENT_UNNAMED = "content_unnamed", "Content that no artifact names"
    DATABASE_DAMAGED = "database_damaged", "The database is damaged"
