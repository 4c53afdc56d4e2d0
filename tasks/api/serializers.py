"""Representations of projects, sessions, tasks and specialists, with the names of the tools and no field missing."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework import serializers

from artifacts.reports.brief import Links
from artifacts.selectors.links import links_of
from tasks.api.fields import GateField
from tasks.choices import Complexity, Priority, Status, Verb
from tasks.models import Attempt, Dependency, Note, Project, ProjectPath, Session, Task
from tasks.selectors.notes import notes_on
from tasks.selectors.resources import needs_of
from tasks.state_machine import possible_for

LINKS = Links(artifact="GET /api/v1/artifacts/{id}/content", synthesis="GET /api/v1/tasks/{id}/synthesis")
"""How API clients read the earlier results that a brief names."""
PRIORITIES = tuple(priority.label for priority in Priority)


class SettingsField(serializers.JSONField):
    """A project's settings, which `tasks/project_settings` checks."""

    json_schema: ClassVar[dict[str, Any]] = {"$ref": "#/components/schemas/ProjectSettings"}


class ProjectRow(serializers.ModelSerializer[Project]):
    """A project; `root_path` is the folder with its files."""

    settings = SettingsField()

    class Meta:
        model = Project
        fields: tuple[str, ...] = ("slug", "name", "root_path", "settings", "created_at")


class ProjectShape(ProjectRow):
    """A project with its further folders (`paths`)."""

    paths = serializers.SlugRelatedField[ProjectPath](many=True, read_only=True, slug_field="path")

    class Meta(ProjectRow.Meta):
        fields = (*ProjectRow.Meta.fields, "paths")


class SessionShape(serializers.ModelSerializer[Session]):
    """A session; `principal` was proven, the client's name was not."""

    session_id = serializers.CharField(source="public_id")
    project = serializers.CharField(source="project.slug")

    class Meta:
        model = Session
        fields = (
            "session_id", "project", "principal", "client_name", "client_version", "model", "started_at",
            "last_seen_at",
            "ended_at",
        )  # fmt: skip


class TaskLine(serializers.ModelSerializer[Task]):
    """A task that another refers to."""

    task_id = serializers.CharField(source="public_id")
    specialist_type = serializers.CharField(source="specialist")
    status = serializers.ChoiceField(Status.choices)

    class Meta:
        model = Task
        fields: tuple[str, ...] = ("task_id", "title", "status", "specialist_type")


class ProgressShape(serializers.Serializer[Any]):
    """The progress of subtasks; cancelled ones do not count."""

    completed_subtasks = serializers.IntegerField()
    total_subtasks = serializers.IntegerField()
    progress_percentage = serializers.IntegerField()
    counts = serializers.DictField(child=serializers.IntegerField())


class TaskRow(TaskLine):
    """A task in a list, without its long texts and its links."""

    project = serializers.CharField(source="project.slug")
    plan = serializers.SerializerMethodField()
    parent_task_id = serializers.CharField(source="parent.public_id", allow_null=True)
    complexity_level = serializers.ChoiceField(Complexity.choices, source="complexity")
    estimated_effort = serializers.CharField(source="effort")
    effort_minutes = serializers.FloatField(allow_null=True)
    priority = serializers.ChoiceField(PRIORITIES, source="priority_word")
    due_at = serializers.DateTimeField(source="due", allow_null=True)
    review = serializers.BooleanField(source="is_reviewed")

    class Meta(TaskLine.Meta):
        fields = (
            *TaskLine.Meta.fields, "project", "plan", "parent_task_id", "position", "depth", "is_leaf", "is_ready",
            "complexity_level", "estimated_effort", "effort_minutes", "priority", "due_at", "not_before", "for_client",
            "for_model", "review", "reason", "lease_number", "lease_holder",
            "lease_expires_at", "created_at", "updated_at", "started_at", "completed_at", "archived_at",
        )  # fmt: skip

    def get_plan(self, task: Task) -> str:
        """Return the id of the task's plan."""
        return task.root.public_id if task.root else task.public_id


class PlanRow(TaskRow):
    """A plan in a list, whose view has counted `progress` for all of them in one query."""

    progress = ProgressShape()

    class Meta(TaskRow.Meta):
        fields = (*TaskRow.Meta.fields, "progress")


class WorkShape(serializers.Serializer[Any]):
    """An artifact of a task."""

    artifact_id = serializers.CharField()
    kind = serializers.CharField()
    size_chars = serializers.IntegerField(allow_null=True)
    size_bytes = serializers.IntegerField()
    paths = serializers.ListField(child=serializers.CharField())


class NoteShape(serializers.ModelSerializer[Note]):
    """What a delivery decided, with the reason and what it decided against, or what it learned."""

    class Meta:
        model = Note
        fields = ("kind", "text", "because", "instead_of", "actor_name", "created_at")


class TriedShape(serializers.ModelSerializer[Attempt]):
    """A claim from its begin to its end; `evidence` counts what was shown for gates."""

    outcome = serializers.ChoiceField(Verb.choices)
    client_name = serializers.CharField(source="client")
    evidence = serializers.IntegerField(source="pieces", default=0)
    cost_usd = serializers.FloatField(allow_null=True)

    class Meta:
        model = Attempt
        fields = (
            "lease_number", "holder", "client_name", "model", "outcome", "reason", "started_at", "ended_at", "evidence",
            "read_tokens", "written_tokens", "cost_usd",
        )  # fmt: skip


class NeedShape(serializers.Serializer[Any]):
    """A resource that a task needs; `number` is that of its own hold."""

    name = serializers.CharField(source="resource.name")
    is_free = serializers.BooleanField()
    number = serializers.IntegerField(source="own.number", default=None, allow_null=True)


class TaskDetail(TaskRow):
    """A task; of its links the first few, and the totals."""

    actions = serializers.ListField(child=serializers.CharField(), source="possible")
    progress = ProgressShape(source="links.progress", allow_null=True)
    waits_for = TaskLine(many=True, source="links.waits_for")
    waits_for_total = serializers.IntegerField(source="links.waits_for_total")
    needed_by = TaskLine(many=True, source="links.needed_by")
    needed_by_total = serializers.IntegerField(source="links.needed_by_total")
    artifacts = WorkShape(many=True, source="links.artifacts")
    artifacts_total = serializers.IntegerField(source="links.artifacts_total")
    resources = NeedShape(many=True, source="needed")
    notes = NoteShape(many=True, source="said")
    gates = serializers.ListField(child=GateField())
    file_paths = serializers.ListField(child=serializers.CharField(), source="paths")

    class Meta(TaskRow.Meta):
        fields = (
            *TaskRow.Meta.fields, "description", "context", "summary", "review_comment", "answer", "actions",
            "progress", "waits_for", "waits_for_total", "needed_by", "needed_by_total", "artifacts", "artifacts_total",
            "resources", "notes", "gates", "file_paths",
        )  # fmt: skip

    def to_representation(self, instance: Task) -> dict[str, Any]:
        """Read the links each time, since services change them."""
        lifecycle = (Verb.RESTORE if instance.archived_at else Verb.ARCHIVE).value
        possible = [*possible_for(instance), lifecycle]
        vars(instance).update(
            links=links_of(instance), possible=possible, said=notes_on(instance), needed=needs_of(instance)
        )
        return super().to_representation(instance)


class DependencyShape(serializers.ModelSerializer[Dependency]):
    """A dependency, and the parent that it is inherited from."""

    task_id = serializers.CharField(source="depends_on.public_id")
    title = serializers.CharField(source="depends_on.title")
    status = serializers.ChoiceField(Status.choices, source="depends_on.status")
    specialist_type = serializers.CharField(source="depends_on.specialist")
    inherited_from = serializers.CharField(source="inherited_from.public_id", allow_null=True)

    class Meta:
        model = Dependency
        fields = ("task_id", "title", "status", "specialist_type", "inherited_from", "created_at")


class RoleShape(serializers.Serializer[Any]):
    """A specialist; `source` is default, site, project, or a file."""

    name = serializers.CharField()
    role_definition = serializers.CharField()
    expertise = serializers.ListField(child=serializers.CharField())
    approach = serializers.ListField(child=serializers.CharField())
    output_format = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # a field is no attribute of the class in the end
