"""The rows that search looks through: words of tasks and of delivered work, cut to pieces of bounded size.

The columns of SearchDocument never change: the index beside it (a virtual table with triggers on SQLite, a generated
column on PostgreSQL) is made by hand in a migration, and Django's rebuilding of a table would drop it in silence.
"""

from __future__ import annotations

from django.db import models

from tasks.models import Project, Task


class SearchDocument(models.Model):
    """Some words of a task or an artifact.

    The key tells whose they are, so that rows are written again without being looked up: `owner * 128 + part`, where
    the owner is twice the key of a task, or twice the key of an artifact and one.
    """

    id = models.BigIntegerField(primary_key=True)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="+")
    artifact = models.ForeignKey(
        "artifacts.Artifact", null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
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
    """A task or an artifact whose words are still to be indexed; see SearchDocument for the owner's number."""

    owner = models.BigIntegerField(primary_key=True)

    class Meta:
        ordering = ["owner"]

    def __str__(self) -> str:
        return str(self.pk)
