"""Checks of what is stored: every content by its hash, bytes without artifacts, and the database itself."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection

from artifacts.models import Artifact
from artifacts.services.verify import Finding, verify
from maintenance.choices import Cause, Severity
from maintenance.found import Found
from maintenance.selectors.hits import Asked

NAMED = 50
REPAIRABLE = ("damaged index", "wrong counts")
"""Where only the row of a content is wrong; its bytes are good."""
_DATABASE = "damaged database"
_BYTES_ADVICE = "Restore a backup, or deliver it again; `manage.py artifacts verify --repair` looks for good bytes."


def check_contents(asked: Asked) -> list[Found]:
    """Read everything that is stored, of all projects; what hurts no version of this one is only counted."""
    findings: list[Finding] = []
    verify(report=findings.append)
    damaged = [_damaged(asked, each.name) for each in findings if each.what == _DATABASE]
    return [*damaged, *_dangling_rows(asked), *_hurt(asked, findings), *_unnamed(asked, findings)]


def _damaged(asked: Asked, what: str) -> Found:
    return Found(
        Cause.DATABASE_DAMAGED, Severity.CRITICAL, "database", asked.now, title="The database", evidence={"what": what},
        advice="Stop the site and restore a backup.",
    )  # fmt: skip


def _dangling_rows(asked: Asked) -> list[Found]:
    """Ask SQLite for rows that name others which are not there; PostgreSQL never has any."""
    if connection.vendor != "sqlite":
        return []
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA foreign_key_check")
        rows = [(str(table), rowid, str(named)) for table, rowid, named, _ in cursor.fetchall()]
    return [
        Found(
            Cause.DATABASE_DAMAGED, Severity.CRITICAL, f"{table} {rowid}", asked.now, title=f"A row of {table}",
            evidence={"names_a_missing_row_of": named, "total": len(rows)}, advice="Restore a backup.",
        )
        for table, rowid, named in sorted(set(rows), key=str)[:NAMED]
    ]  # fmt: skip


def _hurt(asked: Asked, findings: list[Finding]) -> Iterator[Found]:
    """Yield the versions of the scope that cannot be read, or are read wrongly."""
    pairs = [(hurt, each) for each in findings for hurt in each.hurts]
    names = {hurt.partition(" ")[0] for hurt, _ in pairs}
    rows = Artifact.objects.filter(task__in=asked.scope.tasks().order_by(), public_id__in=names)
    known = {artifact.public_id: artifact for artifact in rows.select_related("task")} if names else {}
    ours = sorted((pair for pair in pairs if pair[0].partition(" ")[0] in known), key=lambda pair: pair[0])
    for hurt, finding in ours[:NAMED]:
        artifact = known[hurt.partition(" ")[0]]
        is_repairable = finding.what in REPAIRABLE
        evidence = {"what": finding.what, "sha256": finding.name, "size_bytes": finding.size_bytes, "total": len(ours)}
        yield Found(
            Cause.CONTENT_DAMAGED, Severity.ERROR if is_repairable else Severity.CRITICAL, hurt, artifact.updated_at,
            artifact.task.title, artifact.task_id, evidence,
            proposal="repair" if is_repairable else "", advice="" if is_repairable else _BYTES_ADVICE,
        )  # fmt: skip


def _unnamed(asked: Asked, findings: list[Finding]) -> Iterator[Found]:
    """Yield one finding for all content that no artifact names: it belongs to no project."""
    unnamed = [each for each in findings if not each.hurts and each.what != _DATABASE]
    if unnamed and asked.scope.is_everything:
        size = sum(each.size_bytes for each in unnamed)
        evidence = {"total": len(unnamed), "size_bytes": size, "names": sorted(each.name for each in unnamed)[:NAMED]}
        yield Found(
            Cause.CONTENT_UNNAMED, Severity.INFO, "content", asked.now, title="Content of no artifact",
            evidence=evidence, advice="The job sweep_content removes it once it is a day old.",
        )  # fmt: skip
