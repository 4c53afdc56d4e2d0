"""What is written about tasks and kept for later: events, notes, roles, and answers by idempotency key."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone

from tasks.choices import NoteKind, Verb
from tasks.models.projects import Project, Session
from tasks.models.tasks import Task


class Event(models.Model):
    """One change: who, what, to which task, before and after. Append-only; the id is the cursor."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="events")
    task = models.ForeignKey(Task, null=True, blank=True, on_delete=models.CASCADE, related_name="events")
    session = models.ForeignKey(Session, null=True, blank=True, on_delete=models.SET_NULL, related_name="events")
    actor_kind = models.CharField(max_length=16)
    actor_name = models.CharField(max_length=200)
    verb = models.CharField(max_length=32, choices=Verb.choices)
    before = models.JSONField(default=dict, blank=True)
    after = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["project", "id"], name="event_by_project"),
            models.Index(fields=["task", "id"], name="event_by_task"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(actor_kind__in=["assistant", "person", "system"]), name="event_actor_kind_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id}: {self.actor_name} {self.verb}"


class Note(models.Model):
    """What a completed task decided, with the reason and what it decided against, or what it learned."""

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="notes")
    session = models.ForeignKey(Session, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    actor_name = models.CharField(max_length=200)
    kind = models.CharField(max_length=16, choices=NoteKind.choices)
    text = models.TextField()
    because = models.TextField(blank=True)
    instead_of = models.TextField(blank=True, help_text="What was considered and rejected.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=NoteKind.values), name="note_kind_is_known"),
            models.CheckConstraint(condition=~Q(text=""), name="note_says_something"),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.text[:80]}"


class Specialist(models.Model):
    """A role edited in the browser: of one project, or of the whole site where `project` is empty."""

    project = models.ForeignKey(Project, null=True, blank=True, on_delete=models.CASCADE, related_name="specialists")
    name = models.SlugField(max_length=64)
    role_definition = models.TextField()
    expertise = models.JSONField(default=list, blank=True)
    approach = models.JSONField(default=list, blank=True)
    output_format = models.TextField(blank=True)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="specialist_once_per_project"),
            models.UniqueConstraint(
                fields=["name"], condition=Q(project__isnull=True), name="specialist_once_per_site"
            ),
            models.CheckConstraint(condition=~Q(role_definition=""), name="specialist_has_a_role"),
        ]

    def __str__(self) -> str:
        return self.name


class IdempotencyKey(models.Model):
    """The stored answer of a request, written in the change's transaction; outside any project, `project` is empty."""

    project = models.ForeignKey(
        Project, null=True, blank=True, on_delete=models.CASCADE, related_name="idempotency_keys"
    )
    operation = models.CharField(max_length=80)
    key = models.CharField(max_length=200)
    request_sha256 = models.CharField(max_length=64)
    response: models.JSONField[Any, Any] = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "operation", "key"], name="idempotency_key_once"),
            models.UniqueConstraint(
                fields=["operation", "key"],
                condition=Q(project__isnull=True),
                name="idempotency_key_once_without_project",
            ),
            models.CheckConstraint(condition=~Q(key=""), name="idempotency_key_is_not_empty"),
        ]

    def __str__(self) -> str:
        return f"{self.operation} {self.key}"
