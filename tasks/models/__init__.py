"""The models of tasks. Only `tasks/services/` changes their rows; the constraints hold whatever code does."""

from tasks.models.projects import Project, ProjectPath, Session, ToolUse
from tasks.models.records import Event, IdempotencyKey, Note, Specialist
from tasks.models.tasks import Dependency, DependencyQuerySet, Task, TaskQuerySet

__all__ = [
    "Dependency",
    "DependencyQuerySet",
    "Event",
    "IdempotencyKey",
    "Note",
    "Project",
    "ProjectPath",
    "Session",
    "Specialist",
    "Task",
    "TaskQuerySet",
    "ToolUse",
]
