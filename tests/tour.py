"""Every page of the site, with something to show on each: for what has to hold on all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from artifacts.models import Artifact
from maintenance.choices import Cause
from maintenance.models import Finding, Operation
from tasks.agents import run_log
from tasks.agents.adapters import events as heard
from tasks.agents.choices import RunState
from tasks.agents.models import Run
from tasks.agents.places import log_of
from tasks.choices import Status, Verb
from tasks.library.models import Context, Recurring, Template
from tasks.models import Note, Project, Session, Specialist, Task
from tests.agents.rows import make_ask, make_run, make_supervisor, switch_on
from tests.factories import (
    make_artifact,
    make_attempt,
    make_context,
    make_dependency,
    make_event,
    make_finding,
    make_handover,
    make_hold,
    make_operation,
    make_plan,
    make_project,
    make_resource,
    make_session,
    make_task,
    make_tombstone,
)
from tests.library.rows import chores, make_origin, make_recurring, make_template

OUTSIDE = ("admin", "api", "healthz", "readyz", "sign-in", "sign-out", "api-docs")
"""Families of addresses that are no pages of the board: they have tests of their own."""
NOT_SHOWN = {
    "artifact-raw", "artifact-image", "artifact-part", "files-zip", "task-zip", "synthesis-markdown", "theme", "sample",
    "maintenance-run", "finding-snooze", "operation-undo", "schedule-run", "handover-prepare", "resource-free", "waive",
    "tombstone-import", "restart", "run-message", "run-answer", "run-patch", "recurring-act", "context-act",
    "insights-count", "maintenance-settings", "settings-download",
}  # fmt: skip
"""Addresses that answer files, parts of pages or a redirection, or that are only posted to."""
PLAIN = "A plain text"
HOSTILE = (
    "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"
    "[a](javascript:alert(1)) \u202etxet desrever\u202c \U0001f469\u200d\U0001f4bb "
)
LONG = "w" * 200


@dataclass(frozen=True, slots=True)
class World:
    """What the pages are about."""

    project: Project
    plan: Task
    review: Task
    artifact: Artifact
    session: Session
    finding: Finding
    operation: Operation
    run: Run
    template: Template
    site_template: Template
    done: Task
    recurring: Recurring
    context: Context
    lesson: Note

    @property
    def words(self) -> dict[str, tuple[str, ...]]:
        """What stands in the addresses of pages, by their names."""
        slug, plan = (self.project.slug,), (self.plan.public_id,)
        chores = (*slug, "chores")
        context = (*slug, self.context.public_id)
        task, artifact, run = (self.review.public_id,), (self.artifact.public_id,), (self.run.public_id,)
        return {
            "project": slug, "board": slug, "tasks": slug, "files": slug, "specialists": slug, "project-settings": slug,
            "settings-yaml": slug, "settings-download": slug, "resources": slug, "resource-free": slug,
            "specialist": (*slug, "tester"), "specialist-edit": (*slug, "tester"),
            "specialist-reset": (*slug, "tester"), "specialist-new": slug,
            "task": plan, "graph": plan, "timeline": plan, "synthesis": plan,
            "synthesis-markdown": plan, "task-zip": plan, "files-zip": slug, "folder": (*slug, "src"),
            "act": task, "act-verb": (*task, Verb.CANCEL), "task-edit": task, "task-order": task, "task-complete": task,
            "review": task,
            "artifact": artifact, "artifact-diff": artifact, "artifact-raw": artifact, "artifact-image": artifact,
            "artifact-part": artifact, "session-end": (self.session.public_id,),
            "session": (self.session.public_id,),
            "handovers": slug, "handover": (*slug, "2"), "handover-prepare": slug,
            "maintenance": slug, "maintenance-run": slug, "maintenance-settings": slug, "archive": slug,
            "operation": (*slug, self.operation.public_id), "operation-undo": (*slug, self.operation.public_id),
            "finding-snooze": (*slug, str(self.finding.pk)), "schedule-run": (*slug, "heartbeat"),
            "tombstone-import": (*slug, self.plan.public_id),
            "project-agents": slug, "isolation-settings": slug, "worktrees": slug, "run-start": plan, "run": run,
            "run-changes": run, "run-merge": run, "run-act": (*run, "kill"), "run-message": run, "run-answer": run,
            "run-patch": run, "waive": task,
            "library": slug, "template-new": slug, "template": chores, "template-edit": chores,
            "template-delete": chores, "template-apply": chores,
            "template-version": (*chores, str(self.template.pk)), "site-template": ("chores",),
            "site-template-edit": ("chores",), "site-template-delete": ("chores",),
            "site-template-version": ("chores", str(self.site_template.pk)),
            "insights": slug, "insights-count": slug,
            "patterns": slug, "pattern-draft": (*slug, self.done.public_id), "recurring": slug, "recurring-new": slug,
            "recurring-edit": (*slug, str(self.recurring.pk)), "recurring-act": (*slug, str(self.recurring.pk), "on"),
            "contexts": slug, "context-new": slug, "context": context, "context-edit": context,
            "context-merge": context, "context-act": (*context, "renew"), "lesson": (*slug, str(self.lesson.pk)),
        }  # fmt: skip

    def address(self, name: str) -> str:
        """Return the address of a page."""
        return reverse(name, args=self.words.get(name, ()))


def make_world(text: str = PLAIN) -> World:
    """Make a project in which every page has something to show, and all that an assistant can write is this text."""
    project = make_project("tour", name=text[:200], root_path=f"/srv/{text}"[:200].replace("\n", " "))
    Specialist.objects.create(project=project, name="tester", role_definition=text, output_format=text)
    session = make_session(
        project, client_name=text[:200], client_version=text[:100], principal=text[:200], model=text[:100]
    )
    plan = make_plan(project, 0, title=f"{text}"[:300], description=text, context=text)
    group = make_task(project, parent=plan, title=text[:300], position=1, is_leaf=False)
    leaves = [
        make_task(project, parent=group, status=status, title=text[:300], position=place, **_texts(text, status))
        for place, status in enumerate(Status, start=2)
    ]
    for task, need in zip(leaves[1:], leaves, strict=False):
        make_dependency(task, need)
    for task in leaves:
        make_event(task, Verb.CLAIM, session=session, actor_name=text[:200], after={"lease_number": 1})
        make_event(
            task, Verb.COMPLETE, session=session, actor_name=text[:200], after={"summary": text, text[:40]: text}
        )
    review = next(task for task in leaves if task.status == Status.IN_REVIEW)
    artifact = make_artifact(
        review, f"# {text}\n\n{text}\n", f"# {text}\n\n{text} and more\n", paths=[f"src/{_path(text)}.md"], summary=text
    )
    make_artifact(review, f"print('{text}')\n", paths=[f"src/deep/{_path(text)}.py"], summary=text)
    make_hold(make_resource(project, "tester", leaves[0], title=text[:200], capacity=2), holder=text[:200])
    make_attempt(leaves[0], session=session, holder=text[:200], reason=text)
    Note.objects.create(task=leaves[0], actor_name=text[:200], kind="decision", text=text, because=text)
    finding = make_finding(review, Cause.REVIEW_WAITS, proposal="release", advice=text, evidence={"reason": text})
    operation = make_operation(project, actor_name=text[:200], changes=[{"verb": "archive", "task_id": plan.public_id}])
    make_tombstone(project, title=text[:300], actor_name=text[:200])
    for words in (text, f"{text} and more"):
        make_handover(project, f"# Handover\n\n{words}\n", actor_name=text[:200])
    make_task(project, title=text[:300], archived_at=timezone.now())
    templates = [make_template(place, chores(text), version=text[:40]) for place in (None, None, project, project)]
    make_origin(plan, parameters={"place": text, "days": [text[:300], text[:300]]}, version=text[:40])
    run = _runs(leaves, text)
    done = make_plan(
        project, 2, title=text[:300], description=text, statuses=[Status.COMPLETED], status=Status.COMPLETED
    )
    done.children.update(title=text[:300], description=text)
    recurring = make_recurring(project, name=text[:200], outcome=text[:500], last_plan=done, changed_by=text[:200])
    context, lesson = _contexts(project, leaves, text)
    return World(
        project, plan, review, artifact, session, finding, operation, run, templates[3], templates[1], done, recurring,
        context, lesson,
    )  # fmt: skip


def _contexts(project: Project, tasks: list[Task], text: str) -> tuple[Context, Note]:
    """Make a context, a draft that would be merged into it, and a lesson."""
    facts = {"text": text, "saved_by": text[:200], "specialist": "tester"}
    facts |= {"paths": [text[:200]], "words": [text[:200]], "sources": [tasks[0].public_id]}
    row = make_context(project, is_disputed=True, **facts)
    make_context(project, state="draft", **facts)
    lesson = Note.objects.create(task=tasks[0], actor_name=text[:200], kind="learned", text=text)
    return row, lesson


def _runs(tasks: list[Task], text: str) -> Run:
    """Make a run in each state; return one whose agent asks, with a log of all that can happen."""
    switch_on(tasks[0].project, guidance=text[:20_000])
    make_supervisor(facts={"jail": text, "strays": 1})
    states = [state for state in RunState if state != RunState.ASKING]
    for task, state in zip([*tasks[1:], *tasks], states, strict=False):
        make_run(task, state, reason=text, started_by=text[:200], facts={"tampered": [text]})
    facts: dict[str, Any] = {"model": text[:100], "branch": text[:200], "started_at": timezone.now(), "reason": text}
    run = make_run(tasks[0], RunState.ASKING, context_size=200_000, context_used=84_000, context_peak=120_000, **facts)
    make_ask(run, tool=text[:200], question=text)
    note = {"run": run.public_id, "state": RunState.RUNNING, "reason": text}
    make_event(tasks[0], Verb.RUN, after=note, actor_name=text[:200])
    log = log_of(run)
    log.parent.mkdir(parents=True, exist_ok=True)
    run_log.append(log, filter(None, map(run_log.entry_of, _happenings(text))))
    return run


def _happenings(text: str) -> list[heard.Event]:
    return [
        heard.Started("s1", text), heard.Said(text * 20), heard.ToolUse("1", text[:80], text),
        heard.ToolResult("1", failed=False, text=text), heard.ToolUse("2", "Bash", "make"),
        heard.ToolResult("2", failed=True, text=text), heard.Retry(1, 10, 1.0, rate_limited=False, text=text),
        heard.RateLimited(2_000_000_000.0), heard.Compacted(69_301, 9_584), heard.Denied(text[:80], text),
        heard.Asks("a1", text[:80], text), heard.Warned(text), heard.Ended(False, heard.Reason.ERROR, text),
    ]  # fmt: skip


def grow(world: World, number: int) -> None:
    """Give every page of a world more rows: tasks, plans, dependencies, work with versions, events and sessions."""
    group = Task.objects.get(parent=world.plan)
    for place in range(number):
        session = make_session(world.project, client_name=f"client-{place % 3}")
        status = list(Status)[place % len(Status)]
        task = make_task(world.project, parent=group, status=status, title=f"More {place}", position=100 + place)
        make_dependency(world.review, task)
        make_dependency(task, Task.objects.filter(parent=group).exclude(pk__in=[task.pk, world.review.pk])[0])
        make_event(world.review, Verb.EDIT, session=session, before={"title": "Old"}, after={"title": f"New {place}"})
        make_event(task, Verb.CLAIM, session=session, after={"status": "active", "lease_number": 1})
        make_artifact(task, f"Text {place}", f"Text {place} again", paths=[f"src/more/{place}.md"])
        make_artifact(world.review, f"Text {place}", paths=[f"src/{place}.py"])
        make_plan(world.project, 2, title=f"Plan {place}")
        make_task(make_project(), status=Status.IN_REVIEW)
        make_finding(task, Cause.NEVER_CLAIMED)
        make_hold(make_resource(world.project, f"port-{task.pk}", world.review))
        make_attempt(world.review, session=session)
        Note.objects.create(task=task, actor_name="ada", kind="learned", text=f"Lesson {place}")
        make_operation(world.project)
        make_tombstone(world.project)
        make_handover(world.project)
        make_task(world.project, title=f"Archived {place}", archived_at=timezone.now())
        make_template(world.project, chores(f"Text {place}"))
        make_template(None, chores(f"Text {place}"))
        make_template(world.project, chores(f"Text {place}", f"chores-{place}"), name=f"chores-{place}")
        make_origin(make_plan(world.project, 1))
        make_origin(make_plan(world.project, 2, statuses=[Status.COMPLETED], status=Status.COMPLETED))
        make_recurring(world.project, name=f"Chores {task.pk}")
        make_run(task, list(RunState)[place % len(RunState)], cost_usd=place)
        make_ask(world.run)
        make_context(world.project, text=f"Text {place}")


def _texts(text: str, status: str) -> dict[str, str]:
    fields = {"description": text, "context": text, "effort": text[:200]}
    required: dict[str, dict[str, str]] = {
        Status.BLOCKED: {"reason": text},
        Status.FAILED: {"reason": text},
        Status.NEEDS_REVISION: {"review_comment": text},
        Status.COMPLETED: {"summary": text},
        Status.IN_REVIEW: {"summary": text},
        Status.ACTIVE: {"lease_holder": text[:200]},
    }
    return {**fields, **required.get(status, {})}


def _path(text: str) -> str:
    return text[:150].replace("/", "-").replace("\n", " ")


def named_pages() -> set[str]:
    """Return the names of all addresses of the site, less the families outside."""
    return {
        name
        for name in _names(get_resolver())
        if not any(name == each or name.startswith(f"{each}-") for each in OUTSIDE)
    }


def _names(resolver: URLResolver) -> Iterator[str]:
    for each in resolver.url_patterns:
        if isinstance(each, URLResolver):
            if each.app_name != "admin":
                yield from _names(each)
        elif isinstance(each, URLPattern) and each.name:
            yield each.name
