"""A project with something of everything that a handover tells."""

from __future__ import annotations

from pathlib import Path

from artifacts.services.comment import comment
from maintenance.choices import Cause, Severity
from maintenance.models import Finding
from orchestrator_site.kernel.identity import EVERYTHING
from tasks.identity.actor import Actor
from tasks.models import Project, Task
from tasks.services.review import approve, request_revision
from tasks.services.steer import cancel, fail, unblock
from tests.assistants import Assistant, subtask

REVIEWER = Actor("person", "grace", None, EVERYTHING)
QUESTION = "Which port does the mail server use?\nThe old one was 25."
ANSWER = "Port 587, with STARTTLS."
REVISION = "Say what happens when the disk is full.\n\n- on write\n- on read"
WHY_FAILED = "The tests need a printer."
GOAL = "Send invoices by mail\n\nCriteria:\n1. Every customer gets one\n2. Nobody gets two"
DECISION = {"text": "Use a queue", "because": "The server is slow", "instead_of": "Sending in the request"}


def rich_project(folder: Path) -> tuple[Project, dict[str, str]]:
    """Return a project in the middle of two plans, and the ids of its tasks by their titles."""
    ada = Assistant(folder)
    ada.call("initialize_session")
    ids = _planned(ada)
    project = Task.objects.get(public_id=ids["Survey"]).project
    ada.complete(
        ids["Survey"], summary="Surveyed", decisions=[DECISION], learned=["Mail is logged twice"],
        file_paths=["docs/survey.md"], artifact_type="analysis",
    )  # fmt: skip
    ada.complete(ids["Design"], file_paths=["docs/design.md", "docs/queue.md"], artifact_type="design")
    _sent_back(_task(ids["Design"]))
    ada.complete(ids["Design"], file_paths=["docs/design.md", "docs/queue.md"], artifact_type="design")
    approve(task=_task(ids["Design"]), actor=REVIEWER, reason="Good now.")
    ada.complete(ids["Build"], next_action="blocked", reason=QUESTION)
    unblock(task=_task(ids["Build"]), actor=REVIEWER, answer=ANSWER)
    ada.complete(ids["Build"], file_paths=["src/mail.py"], artifact_type="code")
    ada.complete(ids["Test"], file_paths=["reports/junit.xml"], artifact_type="test", learned=["Port 587 is open"])
    ada.complete(ids["Bounce"], next_action="blocked", reason="Who reads bounces?")
    ada.complete(ids["Style"], artifact_type="design")
    request_revision(task=_task(ids["Style"]), actor=REVIEWER, reason=REVISION)
    cancel(task=_task(ids["Fax"]), actor=REVIEWER, reason="No one faxes.")
    ada.call("execute_subtask", task_id=ids["Print"])
    fail(task=_task(ids["Print"]), actor=REVIEWER, reason=WHY_FAILED)
    ada.complete(ids["Legal"])
    ada.call("execute_subtask", task_id=ids["Archive"])
    _finding(project, ids["Bounce"])
    return project, ids


def _planned(ada: Assistant) -> dict[str, str]:
    subtasks = [
        subtask("Survey", specialist_type="researcher"),
        subtask("Design", specialist_type="architect", dependencies=["Survey"]),
        subtask("Build", dependencies=["Design"]),
        subtask("Test", specialist_type="tester", dependencies=["Build"]),
        subtask("Bounce"),
        subtask("Style"),
        subtask("Fax"),
        subtask("Print"),
        subtask("Legal", review=True),
        subtask("Archive"),
        subtask("Template", priority="high"),
        subtask("Preview", dependencies=["Template"]),
        subtask("Release", dependencies=["Preview", "Bounce"]),
    ]
    made = ada.call("plan_task", description=GOAL, subtasks=subtasks, context="Amounts are in cents.")
    other = ada.call("plan_task", description="Tidy the wiki", subtasks=[subtask("Sort pages")])
    rows = [*made["subtasks"], *other["subtasks"]]
    return {row["title"]: row["task_id"] for row in rows} | {
        "plan": made["parent_task_id"],
        "wiki": other["parent_task_id"],
    }


def _sent_back(task: Task) -> None:
    version = task.artifacts.get().versions.get()
    comment(task=task, actor=REVIEWER, version=version, line=1, end_line=1, text="Why a queue?")
    request_revision(task=task, actor=REVIEWER, reason="Give the reason.")


def _finding(project: Project, subject: str) -> None:
    task = _task(subject)
    Finding.objects.create(
        project=project, task=task, cause=Cause.BLOCKED_SILENT, subject=subject, severity=Severity.WARNING,
        since=task.updated_at, advice="Answer the question.",
    )  # fmt: skip


def _task(public_id: str) -> Task:
    return Task.objects.select_related("project", "root", "parent").get(public_id=public_id)
