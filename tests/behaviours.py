"""The table of behaviours: what each verb does, and which error it raises, whatever entry point it comes through.

A step is (who, verb, key of the task or None, arguments, what comes of it): the status that the task has then, or the
code of the error. `ends` says which status tasks, and the plan itself, have afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Step = tuple[str, str, str | None, dict[str, Any], str]


@dataclass(frozen=True)
class Behaviour:
    """A sentence, and the steps that show it."""

    sentence: str
    steps: list[Step]
    ends: dict[str, str] = field(default_factory=dict)


def a(verb: str, key: str | None, expected: str, **more: Any) -> Step:
    """A step of the first assistant."""
    return ("A", verb, key, more, expected)


def b(verb: str, key: str | None, expected: str, **more: Any) -> Step:
    """A step of the second assistant."""
    return ("B", verb, key, more, expected)


REPORT = '<testsuite><testcase classname="tests.shop" name="test_price"/></testsuite>'
DONE_FIRST = a("complete", "first", "completed")
DELIVERED = a("complete", "reviewed", "in_review")

TABLE = [
    Behaviour(
        "a group is not sent back itself",
        [
            DONE_FIRST,
            b("complete", "second", "completed"),
            a("complete", "part", "completed"),
            a("request_revision", "group", "conflict", reason="Fix it"),
        ],
        {"group": "completed"},
    ),
    Behaviour("a claim makes a task active and starts its plan", [a("claim", "first", "active")], {"plan": "active"}),
    Behaviour("a claim without an id takes the best ready task", [a("claim", None, "active")], {"first": "active"}),
    Behaviour("a second claim by the holder renews", [a("claim", "first", "active"), a("claim", "first", "active")]),
    Behaviour(
        "a claim of a held task is a conflict",
        [a("claim", "first", "active"), b("claim", "first", "conflict")],
        {"first": "active"},
    ),
    Behaviour("a claim waits for dependencies", [a("claim", "second", "not_ready")], {"second": "pending"}),
    Behaviour(
        "a claim waits for what its group waits for",
        [DONE_FIRST, a("claim", "part", "not_ready")],
        {"part": "pending", "group": "pending"},
    ),
    Behaviour("a group is not claimed itself", [a("claim", "group", "conflict")], {"group": "pending"}),
    Behaviour("a completed task is not claimed again", [DONE_FIRST, a("claim", "first", "conflict")]),
    Behaviour(
        "a take-over replaces a holder and refuses its late write",
        [
            a("claim", "first", "active"),
            b("claim", "first", "active", take_over=True),
            a("complete", "first", "conflict", number=True),
            a("complete", "first", "conflict"),
            b("complete", "first", "completed", number=True),
        ],
        {"first": "completed"},
    ),
    Behaviour(
        "the end of a session frees what it held",
        [a("claim", "first", "active"), a("end", None, "done"), b("claim", "first", "active")],
    ),
    Behaviour(
        "a holder that comes back under a new session proves itself by its lease number",
        [a("claim", "first", "active"), a("end", None, "done"), a("complete", "first", "completed", number=True)],
    ),
    Behaviour(
        "a lease number guessed by another does not make it the holder",
        [a("claim", "first", "active"), b("complete", "first", "conflict", lease_number=1)],
        {"first": "active"},
    ),
    Behaviour("a claimed task is completed by its holder", [a("claim", "first", "active"), DONE_FIRST]),
    Behaviour(
        "a held task is not completed by another",
        [a("claim", "first", "active"), b("complete", "first", "conflict")],
        {"first": "active"},
    ),
    Behaviour("a ready task is claimed on the way to completion", [DONE_FIRST], {"first": "completed"}),
    Behaviour("a waiting task is not completed", [a("complete", "second", "not_ready")], {"second": "pending"}),
    Behaviour("a completed task is not completed twice", [DONE_FIRST, b("complete", "first", "conflict")]),
    Behaviour("a completion makes dependents ready", [DONE_FIRST, b("claim", "second", "active")]),
    Behaviour("reviewed work waits for approval", [DELIVERED, b("approve", "reviewed", "completed")]),
    Behaviour(
        "whoever delivered does not approve",
        [DELIVERED, a("approve", "reviewed", "forbidden")],
        {"reviewed": "in_review"},
    ),
    Behaviour(
        "work in review does not free its dependents",
        [a("wait_for", "first", "pending", need="reviewed"), DELIVERED, a("claim", "first", "not_ready")],
    ),
    Behaviour(
        "sent back work is claimed again and delivered again",
        [
            DELIVERED,
            b("request_revision", "reviewed", "needs_revision", reason="Fix it"),
            a("claim", "reviewed", "active"),
            DELIVERED,
            b("approve", "reviewed", "completed"),
        ],
    ),
    Behaviour("a revision without a comment is invalid", [DELIVERED, b("request_revision", "reviewed", "invalid")]),
    Behaviour(
        "completed work can be sent back, and its plan goes on",
        [DONE_FIRST, b("request_revision", "first", "needs_revision", reason="Fix it")],
        {"plan": "active"},
    ),
    Behaviour("pending work cannot be approved", [a("approve", "first", "conflict")]),
    Behaviour(
        "an outcome of needs_revision is recorded as such",
        [a("complete", "first", "needs_revision", outcome="needs_revision", reason="Half done")],
        {"second": "pending"},
    ),
    Behaviour(
        "an outcome of blocked is recorded as such",
        [a("complete", "first", "blocked", outcome="blocked", reason="No access"), a("claim", "first", "conflict")],
    ),
    Behaviour(
        "an outcome that stops the work needs a reason",
        [a("complete", "first", "invalid", outcome="blocked")],
        {"first": "pending"},
    ),
    Behaviour(
        "a blocked task comes back when it is unblocked",
        [
            a("block", "first", "blocked", reason="Wait"),
            a("claim", "first", "conflict"),
            b("unblock", "first", "pending"),
        ],
    ),
    Behaviour("blocking needs a reason", [a("block", "first", "invalid")], {"first": "pending"}),
    Behaviour(
        "a held task is not blocked by another",
        [a("claim", "first", "active"), b("block", "first", "conflict", reason="x")],
    ),
    Behaviour(
        "a failed task can be tried again",
        [a("claim", "first", "active"), a("fail", "first", "failed", reason="Broke"), b("retry", "first", "pending")],
    ),
    Behaviour("only active work fails", [a("fail", "first", "conflict", reason="x")], {"first": "pending"}),
    Behaviour("only failed work is retried", [a("retry", "first", "conflict")]),
    Behaviour("only blocked work is unblocked", [a("unblock", "first", "conflict")]),
    Behaviour(
        "a released task is free for others",
        [a("claim", "first", "active"), a("release", "first", "pending"), b("claim", "first", "active")],
    ),
    Behaviour(
        "a held task is not released by another", [a("claim", "first", "active"), b("release", "first", "conflict")]
    ),
    Behaviour(
        "a cancelled dependency never frees its dependents",
        [a("cancel", "first", "cancelled"), a("claim", "second", "not_ready")],
        {"second": "pending"},
    ),
    Behaviour(
        "a cancel ends the holder's work",
        [a("claim", "first", "active"), b("cancel", "first", "cancelled"), a("complete", "first", "conflict")],
    ),
    Behaviour("finished work is not cancelled", [DONE_FIRST, a("cancel", "first", "conflict")]),
    Behaviour(
        "cancelling a plan cancels what is unfinished in it",
        [DONE_FIRST, a("cancel", "plan", "cancelled")],
        {"first": "completed", "second": "cancelled", "part": "cancelled", "group": "cancelled"},
    ),
    Behaviour(
        "a cancelled task is reopened once, and claimed again",
        [
            a("cancel", "first", "cancelled"),
            b("reopen", "first", "pending"),
            a("reopen", "first", "conflict"),
            a("claim", "first", "active"),
        ],
    ),
    Behaviour("only cancelled work is reopened", [DONE_FIRST, a("reopen", "first", "conflict")]),
    Behaviour(
        "reopening a plan brings back what was cancelled with it, and nothing else",
        [
            DONE_FIRST,
            a("cancel", "reviewed", "cancelled"),
            a("cancel", "plan", "cancelled"),
            b("reopen", "plan", "active"),
            b("claim", "second", "active"),
            a("claim", "part", "not_ready"),
        ],
        {"first": "completed", "reviewed": "cancelled", "part": "pending", "group": "pending"},
    ),
    Behaviour(
        "reopening a group below a cancelled plan reopens the plan and the group's subtasks alone",
        [a("cancel", "plan", "cancelled"), a("reopen", "group", "pending")],
        {"plan": "pending", "part": "pending", "first": "cancelled", "second": "cancelled"},
    ),
    Behaviour(
        "a group whose subtasks were cancelled one by one comes back with one of them",
        [a("cancel", "part", "cancelled"), a("reopen", "group", "conflict"), a("reopen", "part", "pending")],
        {"group": "pending"},
    ),
    Behaviour(
        "what was cancelled, reopened and cancelled alone does not come back with its plan",
        [
            a("cancel", "plan", "cancelled"),
            a("reopen", "plan", "pending"),
            a("cancel", "first", "cancelled"),
            a("cancel", "plan", "cancelled"),
            a("reopen", "plan", "pending"),
        ],
        {"first": "cancelled", "second": "pending", "part": "pending"},
    ),
    Behaviour(
        "a reopened plan finishes with its last subtask",
        [
            DONE_FIRST,
            a("cancel", "second", "cancelled"),
            a("cancel", "group", "cancelled"),
            a("cancel", "plan", "cancelled"),
            a("reopen", "plan", "active"),
            a("cancel", "reviewed", "cancelled"),
        ],
        {"plan": "completed"},
    ),
    Behaviour(
        "a gate that is not met keeps a task back, and evidence opens it",
        [
            a("plan_gated", None, "done"),
            a("claim", "gated", "active"),
            a("complete", "gated", "not_ready"),
            a("complete", "gated", "not_ready", evidence=["All is well"]),
            a("complete", "gated", "not_ready", evidence=[{"gate": "report", "tests": 9, "failures": 0}]),
            a("complete", "gated", "invalid", evidence=[{"gate": "other", "summary": "All is well"}]),
            a("complete", "gated", "completed", evidence=[{"gate": "report", "report": REPORT}]),
        ],
    ),
    Behaviour("a circle of dependencies is refused", [a("wait_for", "first", "invalid", need="part")]),
    Behaviour("a task does not wait for itself", [a("wait_for", "first", "invalid", need="first")]),
    Behaviour("a task does not wait for its own plan", [a("wait_for", "first", "invalid", need="plan")]),
    Behaviour("a title can be edited", [a("rename", "first", "pending", title="Better")]),
    Behaviour("a title cannot be emptied", [a("rename", "first", "invalid", title=" ")]),
    Behaviour("finished work is not edited", [DONE_FIRST, a("rename", "first", "conflict", title="Better")]),
    Behaviour(
        "a plan finishes with its last subtask",
        [
            DONE_FIRST,
            b("complete", "second", "completed"),
            a("complete", "part", "completed"),
            DELIVERED,
            b("approve", "reviewed", "completed"),
        ],
        {"group": "completed", "plan": "completed"},
    ),
]

LIFECYCLE = [
    Behaviour(
        "an archived plan keeps its statuses and is restored once",
        [
            DONE_FIRST,
            a("archive", "plan", "active", reason="Later"),
            a("claim", "reviewed", "conflict"),
            a("rename", "reviewed", "conflict", title="Better"),
            a("complete", "reviewed", "conflict"),
            a("cancel", "plan", "conflict"),
            b("archive", "plan", "conflict"),
            b("restore", "plan", "active", reason="Now"),
            b("restore", "plan", "conflict"),
            a("claim", "second", "active"),
        ],
        {"first": "completed", "part": "pending", "group": "pending"},
    ),
    Behaviour("nothing archived is claimed", [a("archive", "plan", "pending"), a("claim", None, "not_ready")]),
    Behaviour(
        "a held task is not archived, with its plan or alone",
        [
            a("claim", "first", "active"),
            b("archive", "plan", "conflict"),
            b("archive", "first", "conflict"),
            a("archive", "first", "conflict"),
            a("complete", "first", "completed"),
        ],
    ),
    Behaviour(
        "a task that another waits for is archived only when it is finished",
        [a("archive", "first", "conflict"), DONE_FIRST, a("archive", "first", "completed")],
        {"second": "pending", "plan": "active"},
    ),
    Behaviour(
        "the last task of a group is not archived without it",
        [a("archive", "part", "conflict"), a("archive", "group", "pending")],
        {"part": "pending", "plan": "pending"},
    ),
    Behaviour(
        "a task below an archived one is restored after it",
        [a("archive", "group", "pending"), a("restore", "part", "conflict"), a("restore", "group", "pending")],
    ),
    Behaviour(
        "a plan finishes without what was archived, and goes on when it is restored",
        [
            DONE_FIRST,
            a("complete", "second", "completed"),
            a("complete", "part", "completed"),
            a("archive", "reviewed", "pending"),
            a("wait_for", "reviewed", "conflict", need="first"),
        ],
        {"plan": "completed"},
    ),
    Behaviour(
        "a plan goes on with what is restored",
        [
            DONE_FIRST,
            a("complete", "second", "completed"),
            a("complete", "part", "completed"),
            a("archive", "reviewed", "pending"),
            a("restore", "reviewed", "pending"),
        ],
        {"plan": "active", "group": "completed"},
    ),
    Behaviour(
        "nothing is made to wait for an archived task that is unfinished",
        [a("archive", "reviewed", "pending"), a("wait_for", "second", "conflict", need="reviewed")],
    ),
]
"""Archiving and restoring, which the core toolset of the bridge leaves to that of maintenance."""
