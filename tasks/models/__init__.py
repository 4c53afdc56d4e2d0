"""The models of tasks. Only `tasks/services/` changes their rows; the constraints hold whatever code does."""

from tasks.models.evidence import Attempt, Evidence, Waiver
from tasks.models.projects import Project, ProjectPath, Session, ToolUse
from tasks.models.records import Event, IdempotencyKey, Note, Specialist
from tasks.models.resources import Resource, ResourceHold, ResourceNeed, knowing_needs
from tasks.models.tasks import NEVER, Dependency, DependencyQuerySet, Task, TaskQuerySet

__all__ = [
    "NEVER",
    "Attempt",
    "Dependency",
    "DependencyQuerySet",
    "Event",
    "Evidence",
    "IdempotencyKey",
    "Note",
    "Project",
    "ProjectPath",
    "Resource",
    "ResourceHold",
    "ResourceNeed",
    "Session",
    "Specialist",
    "Task",
    "TaskQuerySet",
    "ToolUse",
    "Waiver",
    "knowing_needs",
]
