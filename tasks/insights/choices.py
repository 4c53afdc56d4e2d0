"""Kinds of suggestions, and the names of figures and of what they are divided by."""

from __future__ import annotations

from django.db import models


class Kind(models.TextChoices):
    """What was suggested."""

    SPECIALIST = "specialist", "Specialist"
    NEXT_TASK = "next_task", "Next task"
    CHANGE = "change", "Change of the board"


class Outcome(models.TextChoices):
    OPEN = "open", "Open"
    ACCEPTED = "accepted", "Accepted"
    OTHER = "other", "Something else was chosen"


class Horizon(models.TextChoices):
    """How far a forecast of the workload looks."""

    CURRENT_SESSION = "current_session", "Current session"
    DAILY = "daily", "A day"
    WEEKLY = "weekly", "A week"


class Method(models.TextChoices):
    """How a specialist was predicted before the planner's choice was learned.

    `learned` is by rules and history together once enough was taught, whether or not that is trusted; `suggested` is
    the answer that would have been shown.
    """

    MAJORITY = "majority", "Most frequent"
    KEYWORDS = "keywords", "Keywords"
    RULES = "rules", "Rules"
    LEARNED = "learned", "Learned"
    SUGGESTED = "suggested", "Suggested"


class Dimension(models.TextChoices):
    """What a figure is about. A cell is a specialist with a complexity, `tester/simple`."""

    PROJECT = "project", "Project"
    PLAN = "plan", "Plan"
    SPECIALIST = "specialist", "Specialist"
    CLIENT = "client", "Client"
    MODEL = "model", "Model"
    TEMPLATE = "template", "Template"
    CELL = "cell", "Specialist and complexity"


class Name(models.TextChoices):
    """Figures, defined in docs/insights.md. Times are seconds: `value` is the median, `high` the 90th percentile.

    Rates are `value` of `n`, from 0 to 1. What is only counted has its number in `value`.
    """

    LEAD = "lead", "Lead time"
    WAIT = "wait", "Wait"
    WORK = "work", "Work time"
    REVIEW_WAIT = "review_wait", "Wait for review"
    FIRST_PASS = "first_pass", "First-pass approval"
    REOPENED = "reopened", "Reopen rate"
    LEASE_LOSS = "lease_loss", "Lease loss"
    SUCCESS = "success", "Success"
    ESTIMATE_ERROR = "estimate_error", "Estimate error"
    ESTIMATE_COVERAGE = "estimate_coverage", "Estimate coverage"
    BYTES = "bytes", "Bytes per task"
    TOKENS = "tokens", "Tokens per task"
    COST = "cost", "Cost per task"
    DONE = "done", "Done"
    PLANNED = "planned", "Planned"
    GATES_MISSED = "gates_missed", "Gates missed at first"
    GATES_WAIVED = "gates_waived", "Gates waived"
    HANDOVER_COVERAGE = "handover_coverage", "Handover coverage"


RATES = (
    *(Name.FIRST_PASS, Name.REOPENED, Name.LEASE_LOSS, Name.SUCCESS, Name.ESTIMATE_COVERAGE),
    *(Name.GATES_MISSED, Name.GATES_WAIVED, Name.HANDOVER_COVERAGE),
)
COUNTS = (Name.DONE, Name.PLANNED)
