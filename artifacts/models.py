"""Artifacts, their versions, logical paths and content, uploads, review comments and search documents.

Only `artifacts/services/` changes these rows.
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Replace
from django.utils import timezone

from tasks.models import Project, Session, Task

INLINE_LIMIT = 64 * 1024
"""Content up to this size is stored in the row, larger content in a file (docs/architecture.md, "Content")."""


class Kind(models.TextChoices):
    CODE = "code", "Code"
    DOCUMENTATION = "documentation", "Documentation"
    ANALYSIS = "analysis", "Analysis"
    DESIGN = "design", "Design"
    TEST = "test", "Test"
    CONFIG = "config", "Config"
    GENERAL = "general", "General"


class Content(models.Model):
    """Bytes, stored once per sha256: in `data`, or in the content store under `stored_as`, with an index.

    Characters and lines are null for what is not UTF-8.
    """

    sha256 = models.CharField(max_length=64, unique=True)
    size_bytes = models.PositiveBigIntegerField()
    size_chars = models.PositiveBigIntegerField(null=True, blank=True)
    size_lines = models.PositiveBigIntegerField(null=True, blank=True)
    data = models.BinaryField(null=True, blank=True)
    index = models.BinaryField(
        null=True, blank=True, help_text="Where each block begins (artifacts/storage/block_index.py)."
    )
    stored_as = models.CharField(max_length=80, blank=True, help_text="Its name in the content store.")
    stored_at = models.DateTimeField(default=timezone.now, editable=False, help_text="When it was last delivered.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(data__isnull=True) | Q(size_bytes__lte=INLINE_LIMIT), name="content_inline_is_small"
            ),
            models.CheckConstraint(
                condition=Q(data__isnull=True) | Q(index__isnull=True, stored_as=""), name="content_is_in_one_place"
            ),
            models.CheckConstraint(
                condition=Q(size_lines__isnull=True) | Q(size_chars__isnull=False), name="content_lines_are_of_a_text"
            ),
        ]

    def __str__(self) -> str:
        return self.sha256


class Artifact(models.Model):
    """A delivered file or text; delivering it again makes the next version."""

    public_id = models.CharField(max_length=40, unique=True)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="artifacts")
    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="artifacts")
    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.GENERAL)
    summary = models.TextField(blank=True)
    version = models.PositiveIntegerField(default=1, help_text="The number of the latest version.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["project", "-updated_at"], name="artifact_recent")]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=Kind.values), name="artifact_kind_is_known"),
            models.CheckConstraint(condition=Q(version__gte=1), name="artifact_has_a_version"),
        ]

    def __str__(self) -> str:
        return self.public_id


class ArtifactVersion(models.Model):
    artifact = models.ForeignKey(Artifact, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    content = models.ForeignKey(Content, on_delete=models.PROTECT, related_name="versions")
    summary = models.TextField(blank=True)
    media_type = models.CharField(max_length=127, default="text/markdown")
    session = models.ForeignKey(Session, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    actor_name = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["artifact", "number"]
        constraints = [
            models.UniqueConstraint(fields=["artifact", "number"], name="artifact_version_once"),
            models.CheckConstraint(condition=Q(number__gte=1), name="artifact_version_counts_from_one"),
        ]

    def __str__(self) -> str:
        return f"{self.artifact_id} v{self.number}"


class ArtifactPath(models.Model):
    """A logical path in the user's own tree: data, never a path on this server."""

    artifact = models.ForeignKey(Artifact, on_delete=models.CASCADE, related_name="paths")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    path = models.CharField(max_length=1024)
    folder = models.GeneratedField(
        # Strips all characters but `/` from the end: `src/app/` of `src/app/main.py`.
        expression=Func(F("path"), Replace("path", Value("/"), Value("")), function="RTRIM"),
        output_field=models.CharField(max_length=1024),
        db_persist=True,
    )

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["project", "folder", "path"], name="artifact_path_tree")]
        constraints = [
            models.UniqueConstraint(fields=["artifact", "path"], name="artifact_path_once"),
            models.CheckConstraint(condition=~Q(path="") & ~Q(path__startswith="/"), name="artifact_path_is_relative"),
        ]

    def __str__(self) -> str:
        return self.path


class UploadState(models.TextChoices):
    OPEN = "open", "Open"
    COMMITTED = "committed", "Committed"
    ABORTED = "aborted", "Aborted"


class Upload(models.Model):
    """An artifact that arrives in parts. Its first `received` bytes are staged and survive any crash."""

    public_id = models.CharField(max_length=40, unique=True)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="uploads")
    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="uploads")
    session = models.ForeignKey(Session, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    actor_name = models.CharField(max_length=200)
    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.GENERAL)
    summary = models.TextField(blank=True)
    paths = models.JSONField(default=list, blank=True)
    media_type = models.CharField(max_length=127, blank=True, help_text="If empty, derived from its paths and bytes.")
    expected_size = models.PositiveBigIntegerField(null=True, blank=True)
    expected_sha256 = models.CharField(max_length=64, blank=True)
    received = models.PositiveBigIntegerField(default=0)
    state = models.CharField(max_length=16, choices=UploadState.choices, default=UploadState.OPEN)
    version = models.OneToOneField(
        ArtifactVersion, null=True, blank=True, on_delete=models.CASCADE, related_name="upload"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_append_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["project", "id"], condition=Q(state="open"), name="upload_open"),
            models.Index(fields=["last_append_at"], name="upload_last_append"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=Kind.values), name="upload_kind_is_known"),
            models.CheckConstraint(condition=Q(state__in=UploadState.values), name="upload_state_is_known"),
            models.CheckConstraint(
                condition=Q(expected_size__isnull=True) | Q(received__lte=models.F("expected_size")),
                name="upload_is_within_its_size",
            ),
            models.CheckConstraint(
                condition=Q(state="committed", version__isnull=False)
                | (~Q(state="committed") & Q(version__isnull=True)),
                name="upload_committed_has_a_version",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


class ReviewCommentQuerySet(models.QuerySet["ReviewComment"]):
    def unsent(self, task: Task) -> ReviewCommentQuerySet:
        """The drafts that the next verdict on a task sends, in order, with what names their places."""
        rows = self.filter(task=task, sent_at__isnull=True).order_by("id")
        return rows.prefetch_related("version__artifact__paths")


class ReviewComment(models.Model):
    """A reviewer's comment on lines of a version, on a version, or on everything that a task delivered.

    It is a draft until a verdict on the task sends it; then it never changes.
    """

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="review_comments")
    version = models.ForeignKey(
        ArtifactVersion, null=True, blank=True, on_delete=models.CASCADE, related_name="review_comments"
    )
    line = models.PositiveIntegerField(null=True, blank=True, help_text="The first line that it is about.")
    end_line = models.PositiveIntegerField(null=True, blank=True, help_text="The last one; the same for one line.")
    quote = models.CharField(max_length=200, blank=True, help_text="How the first line begins.")
    text = models.TextField()
    author = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    sent_at = models.DateTimeField(null=True, blank=True, help_text="When a verdict took it along; empty for a draft.")

    objects = ReviewCommentQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=~Q(text=""), name="review_comment_says_something"),
            models.CheckConstraint(condition=~Q(author=""), name="review_comment_has_an_author"),
            models.CheckConstraint(
                condition=Q(line__isnull=True, end_line__isnull=True, quote="")
                | Q(line__isnull=False, end_line__isnull=False, version__isnull=False),
                name="review_comment_lines_are_of_a_version",
            ),
            models.CheckConstraint(
                condition=Q(line__isnull=True) | Q(line__gte=1, end_line__gte=F("line")),
                name="review_comment_lines_are_in_order",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.author} on {self.task_id}"

    @property
    def lines(self) -> str:
        """`line 12` or `lines 12-14`; empty without lines."""
        if self.line is None:
            return ""
        return f"line {self.line}" if self.line == self.end_line else f"lines {self.line}-{self.end_line}"


class SearchDocument(models.Model):
    """A piece of bounded size of what search looks through in a task or an artifact.

    The key names the owner, so that rows are rewritten without a lookup: `owner * 128 + part`, where the owner is twice
    the key of a task, or twice the key of an artifact plus one.

    The columns never change: the index beside it (a virtual table with triggers on SQLite, a generated column on
    PostgreSQL) is made by hand in a migration, and Django's table rebuild would silently drop it.
    """

    id = models.BigIntegerField(primary_key=True)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="+")
    artifact = models.ForeignKey(Artifact, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=16, help_text="`task`, or the kind of the artifact.")
    scope = models.CharField(max_length=200, help_text="The same facts as words, for an index that knows only words.")
    offset = models.PositiveBigIntegerField(default=0, help_text="Characters of the work before this piece.")
    title = models.TextField(blank=True)
    body = models.TextField(blank=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return str(self.pk)


class SearchBacklog(models.Model):
    """A task or an artifact that is still to be indexed; `owner` as in SearchDocument."""

    owner = models.BigIntegerField(primary_key=True)

    class Meta:
        ordering = ["owner"]

    def __str__(self) -> str:
        return str(self.pk)
