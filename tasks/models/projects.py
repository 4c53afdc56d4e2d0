"""Projects, their folders, and the sessions of assistants."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone

from tasks.project_settings import setting
from tasks.validators import validate_project_settings


class Project(models.Model):
    slug = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=200)
    root_path = models.CharField(max_length=4096, blank=True, help_text="Where its files are; others are in `paths`.")
    mark = models.CharField(
        max_length=32, blank=True, editable=False, help_text="Left in its folder, to find it again."
    )
    settings = models.JSONField(
        default=dict,
        blank=True,
        validators=[validate_project_settings],
        help_text="lease_minutes: how long a claim holds; review: whether every delivery is reviewed (true or false); "
        "self_approval: whether whoever delivered may approve it; "
        "mirror: whether artifacts are kept as files in .task_orchestrator/artifacts/ of its folder.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="project_has_a_name"),
            models.UniqueConstraint(
                fields=["root_path"], condition=~Q(root_path=""), name="project_root_path_is_unique"
            ),
            models.UniqueConstraint(fields=["mark"], condition=~Q(mark=""), name="project_mark_is_unique"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def commands(self) -> dict[str, Any]:
        """The commands that may be observed for gates, by their names."""
        found: dict[str, Any] = setting(self, "gates.commands")
        return found


class ProjectPath(models.Model):
    """A further folder of a project, such as another clone, or another mount of its folder."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="paths")
    path = models.CharField(max_length=4096, unique=True)

    class Meta:
        ordering = ["path"]

    def __str__(self) -> str:
        return self.path


class Session(models.Model):
    public_id = models.CharField(max_length=40, unique=True)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="sessions")
    connection_id = models.CharField(max_length=80)
    principal = models.CharField(
        max_length=200, blank=True, help_text="Who the connection proved to be: a person, or a person's access token."
    )
    token_id = models.CharField(max_length=40, blank=True, help_text="The access token; empty for a local pipe.")
    client_name = models.CharField(max_length=200, blank=True)
    client_version = models.CharField(max_length=100, blank=True)
    model = models.CharField(max_length=100, blank=True, help_text="The language model that the client declared.")
    started_at = models.DateTimeField(default=timezone.now, editable=False)
    last_seen_at = models.DateTimeField(default=timezone.now)
    selected_at = models.DateTimeField(
        default=timezone.now, help_text="When the connection last chose this session; the latest gets its calls."
    )
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["connection_id", "-id"], name="session_by_connection"),
            models.Index(fields=["token_id", "project"], condition=~Q(token_id=""), name="session_by_token"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["connection_id", "project"],
                condition=Q(ended_at__isnull=True),
                name="session_one_open_per_connection",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.client_name or 'assistant'} ({self.public_id})"

    @property
    def wire(self) -> str:
        """The connection, which may have further sessions of subagents (`connection/handle`)."""
        return self.connection_id.partition("/")[0]


class ToolUse(models.Model):
    """Totals of the calls of one tool in one session, written a few seconds after the calls.

    Bytes received are those of the requests, bytes sent those of the answers' text. `repaired` counts calls whose
    arguments had to be corrected first.
    """

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="tool_uses")
    tool = models.CharField(max_length=80)
    calls = models.PositiveBigIntegerField(default=0)
    errors = models.PositiveBigIntegerField(default=0)
    repaired = models.PositiveBigIntegerField(default=0)
    bytes_received = models.PositiveBigIntegerField(default=0)
    bytes_sent = models.PositiveBigIntegerField(default=0)
    last_error = models.CharField(max_length=40, blank=True, help_text="The code of the last answer that was an error.")
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["session", "tool"], name="tool_use_once_per_session")]

    def __str__(self) -> str:
        return f"{self.tool} in {self.session_id}"
