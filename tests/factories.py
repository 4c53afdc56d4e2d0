"""Rows for tests, made directly and in every state that the database allows; nothing here goes through the services."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from html import unescape
from itertools import count, cycle
from typing import Any

from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from artifacts import storage
from artifacts.models import Artifact, ArtifactPath, ArtifactVersion
from artifacts.search.index import index_tasks
from maintenance.choices import Action, Cause, Level, ScopeWord, Severity, State
from maintenance.models import Finding, Handover, Operation, Tombstone
from tasks.choices import Status, Verb
from tasks.library.models import Context
from tasks.models import Attempt, Dependency, Event, Project, Resource, ResourceHold, ResourceNeed, Session, Task
from tasks.services import chains

_serial = count(1)
SPECIALISTS = ("architect", "implementer", "tester", "reviewer", "documenter")


def make_user(name: str = "ada", **fields: Any) -> User:
    return User.objects.create_user(username=name, password="correct horse", **fields)


def signed_in(client: Client, **fields: Any) -> Client:
    """Return the client of someone who may read."""
    client.force_login(make_user(**fields))
    return client


def html_of(response: Any) -> str:
    """Return a page that came out well."""
    assert response.status_code == 200, response.status_code
    return str(response.content.decode())


def note_of(page: str, code: str) -> str:
    """Return the note, message or alert of a page that carries an error code or a verb."""
    found = re.search(rf'<(p|section)\b[^>]* data-code="{code}"[^>]*>(.*?)</\1>', page, re.DOTALL)
    assert found, f"no note of {code}"
    return unescape(found[2])


def fields_with_errors(page: str) -> list[str]:
    """Return the names of the fields that a page shows an error next to."""
    return re.findall(r'id="wrong-(\w+)"', page)


def sent(page: str, form: str = '<form class="box form"') -> dict[str, Any]:
    """Return what a browser sends of a form that nobody touched."""
    form = page.partition(form)[2].partition("</form>")[0]
    values: dict[str, Any] = {}
    for tag in re.findall(r"<input [^>]*>", form):
        facts = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if facts.get("type") != "checkbox" or " checked" in tag:
            values.setdefault(facts["name"], []).append(unescape(facts.get("value", "on")))
    for name, text in re.findall(r'<textarea name="([\w.]+)"[^>]*>\n(.*?)</textarea>', form, re.DOTALL):
        values[name] = [unescape(text).replace("\n", "\r\n")]
    for name, options in re.findall(r'<select name="([\w.]+)"[^>]*>(.*?)</select>', form, re.DOTALL):
        chosen = re.findall(r'value="([^"]*)" selected', options) or re.findall(r'value="([^"]*)"', options)
        values[name] = [unescape(chosen[0])]
    return values


def make_project(slug: str = "", **fields: Any) -> Project:
    slug = slug or f"project-{next(_serial)}"
    return Project.objects.create(slug=slug, **{"name": slug.replace("-", " ").title(), **fields})


def make_session(project: Project, **fields: Any) -> Session:
    number = next(_serial)
    defaults = {"public_id": f"session_{number:012x}", "connection_id": f"connection-{number}"}
    return Session.objects.create(project=project, **{**defaults, "client_name": "Claude Code", **fields})


def make_task(project: Project, *, parent: Task | None = None, status: str = Status.PENDING, **fields: Any) -> Task:
    """Make a task that stands in a state, with what the state requires."""
    task = _build(project, parent, status, fields)
    if parent is not None and parent.is_leaf:
        parent.is_leaf = False
        Task.objects.filter(pk=parent.pk).update(is_leaf=False)
    task.save(force_insert=True)
    index_tasks([task])
    return task


def make_plan(project: Project, size: int = 3, *, statuses: Iterable[str] = (), **fields: Any) -> Task:
    """Make a plan with `size` subtasks, which take turns with the states and the specialists."""
    plan = make_task(project, is_leaf=False, **fields)
    states, specialists = cycle(tuple(statuses) or (Status.PENDING,)), cycle(SPECIALISTS)
    subtasks = [
        _build(project, plan, next(states), {"specialist": next(specialists), "position": place})
        for place in range(1, size + 1)
    ]
    Task.objects.bulk_create(subtasks)
    index_tasks(subtasks)
    return plan


def _build(project: Project, parent: Task | None, status: str, fields: dict[str, Any]) -> Task:
    number = next(_serial)
    specialist = fields.get("specialist", "implementer" if parent else "")
    facts: dict[str, Any] = {
        "public_id": f"{specialist}_{number:06x}" if specialist else f"task_{number:08x}",
        "title": f"Task {number}",
        "specialist": specialist,
        "parent": parent,
        "root_id": parent.plan_id if parent else None,
        "depth": parent.depth + 1 if parent else 0,
    }
    return Task(project=project, status=status, **{**facts, **_required_by(status), **fields})


def _required_by(status: str) -> dict[str, Any]:
    now = timezone.now()
    required: dict[str, dict[str, Any]] = {
        Status.ACTIVE: {
            "lease_number": 1,
            "lease_holder": "Claude Code",
            "lease_expires_at": now + timedelta(minutes=30),
            "started_at": now,
        },
        Status.COMPLETED: {"completed_at": now},
        Status.BLOCKED: {"reason": "The password of the staging server is missing."},
        Status.FAILED: {"reason": "The tests could not be made to pass."},
        Status.NEEDS_REVISION: {"review_comment": "Say what happens when the disk is full."},
    }
    return required.get(status, {})


def make_dependency(task: Task, depends_on: Task, *, inherited_from: Task | None = None) -> Dependency:
    made = Dependency.objects.create(task=task, depends_on=depends_on, inherited_from=inherited_from)
    chains.refresh([depends_on.pk])
    return made


def make_resource(project: Project, name: str = "staging", *needed_by: Task, **fields: Any) -> Resource:
    """Make a resource that some tasks need."""
    resource = Resource.objects.create(project=project, name=name, **fields)
    ResourceNeed.objects.bulk_create(ResourceNeed(task=task, resource=resource) for task in needed_by)
    return resource


def make_hold(resource: Resource, task: Task | None = None, **fields: Any) -> ResourceHold:
    resource.held, resource.last_number = resource.held + 1, resource.last_number + 1
    resource.save()
    defaults: dict[str, Any] = {"holder": "Claude Code", "number": resource.last_number}
    if task is None:
        defaults["expires_at"] = timezone.now() + timedelta(minutes=30)
    return ResourceHold.objects.create(resource=resource, task=task, **{**defaults, **fields})


def make_attempt(task: Task, outcome: str = Verb.FAIL, **fields: Any) -> Attempt:
    defaults: dict[str, Any] = {
        "lease_number": task.attempts.count() + 1,
        "started_at": timezone.now() - timedelta(minutes=20),
    }
    who = {"holder": "Claude Code", "reason": "The tests could not be made to pass."}
    if session := fields.get("session"):
        who |= {"client": session.client_name, "model": session.model}
    return Attempt.objects.create(task=task, outcome=outcome, **{**defaults, **who, **fields})


def make_event(task: Task, verb: str = Verb.EDIT, **fields: Any) -> Event:
    defaults = {"actor_kind": "assistant", "actor_name": "Claude Code"}
    return Event.objects.create(project_id=task.project_id, task=task, verb=verb, **{**defaults, **fields})


def make_artifact(task: Task, *texts: str, paths: Iterable[str] = (), **fields: Any) -> Artifact:
    """Make an artifact with a version for each text."""
    texts = texts or ("# Report\n\nAll is well.\n",)
    number = next(_serial)
    artifact = Artifact.objects.create(
        public_id=f"artifact_{number:08x}", project_id=task.project_id, task=task, version=len(texts), **fields
    )
    rows = [ArtifactPath(artifact=artifact, project_id=task.project_id, path=path) for path in paths]
    ArtifactPath.objects.bulk_create(rows)
    for place, text in enumerate(texts, start=1):
        content = storage.insert(storage.prepare(text))
        ArtifactVersion.objects.create(artifact=artifact, number=place, content=content, actor_name="Claude Code")
    return artifact


def make_context(project: Project, **fields: Any) -> Context:
    number = next(_serial)
    facts = {"public_id": f"context_{number:010x}", "name": f"context-{number}", "text": "Be quick.", "saved_by": "ada"}
    return Context.objects.create(project=project, **{**facts, **fields})


def make_finding(task: Task, cause: str = Cause.LEASE_OVER, **fields: Any) -> Finding:
    defaults = {"subject": task.public_id, "severity": Severity.WARNING, "since": timezone.now() - timedelta(hours=2)}
    return Finding.objects.create(project_id=task.project_id, task=task, cause=cause, **{**defaults, **fields})


def make_operation(project: Project, action: str = Action.SCAN_CLEANUP, **fields: Any) -> Operation:
    """Make an operation that has finished."""
    now = timezone.now()
    defaults = {"scope": ScopeWord.FULL_PROJECT, "level": Level.BASIC, "state": State.SUCCEEDED, "finished_at": now}
    who = {"public_id": f"operation_{next(_serial):08x}", "actor_kind": "person", "actor_name": "ada"}
    return Operation.objects.create(project=project, action=action, **{**defaults, **who, "started_at": now, **fields})


def make_handover(project: Project, text: str = "# Handover", **fields: Any) -> Handover:
    number = Handover.objects.filter(project=project).count() + 1
    facts = {"number": number, "sha256": "0" * 64, "cursor": 0, "actor_name": "ada"}
    return Handover.objects.create(project=project, text=text, **{**facts, **fields})


def make_tombstone(project: Project, **fields: Any) -> Tombstone:
    number = next(_serial)
    defaults = {"public_id": f"task_{number:08x}", "title": f"Plan {number}", "tasks": 3, "actor_name": "ada"}
    export = {"export_name": f"task_{number:08x}.zip", "export_sha256": "0" * 64}
    return Tombstone.objects.create(project=project, **{**defaults, **export, **fields})
