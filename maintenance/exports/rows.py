"""The rows of a plan as plain data, and back: every column of the tables below.

Of what else belongs to its tasks, runs of agents, origins in templates and uses of contexts are not exported.

A reference within the plan is the key that the row had; one to anything else is a public id or a sha256.
"""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Aggregate, Count, Field, ForeignKey, Max, Model, Q, QuerySet

from artifacts.models import Artifact, ArtifactPath, ArtifactVersion, Content, ReviewComment, Upload, UploadState
from orchestrator_site.kernel.errors import invalid
from tasks.models import (
    NEVER,
    Attempt,
    Dependency,
    Event,
    Evidence,
    Note,
    Project,
    Resource,
    ResourceNeed,
    Session,
    Task,
    Waiver,
)

FORMAT = 1
"""Of `plan.json`; a newer one is refused."""
Row = dict[str, Any]

TABLES: dict[str, type[Model]] = {
    "tasks": Task,
    "dependencies": Dependency,
    "notes": Note,
    "evidence": Evidence,
    "waivers": Waiver,
    "attempts": Attempt,
    "needs": ResourceNeed,
    "events": Event,
    "artifacts": Artifact,
    "paths": ArtifactPath,
    "versions": ArtifactVersion,
    "uploads": Upload,
    "comments": ReviewComment,
}
"""In the order in which they are inserted."""
_OF_TASK = {name: "artifact__task" if name in ("paths", "versions") else "task" for name in TABLES}
_CHANGES: dict[str, list[Aggregate]] = {
    "tasks": [Max("updated_at"), Max("active_at"), Max("archived_at")],
    "comments": [Count("sent_at")],
}
_OUTSIDE: dict[type[Model], str] = {Session: "public_id", Content: "sha256", Resource: "name"}


def rows_of(plan: Task, name: str) -> QuerySet[Any]:
    """Return the rows of a plan in one of the tables, the oldest first."""
    tree = Task.objects.filter(Q(pk=plan.pk) | Q(root=plan.pk)).order_by()
    if name == "tasks":
        return tree.order_by("pk")
    # As a subquery: joined to the tasks, SQLite would read the whole table.
    rows: QuerySet[Any] = TABLES[name]._default_manager.filter(**{f"{_OF_TASK[name]}__in": tree.values("pk")})
    return rows.exclude(state=UploadState.OPEN).order_by("pk") if name == "uploads" else rows.order_by("pk")


def fingerprint(plan: Task) -> list[Any]:
    """Return what differs as soon as a row of the plan is added, removed, archived or restored, or moves."""
    seen: list[Any] = []
    for name in TABLES:
        seen.append(rows_of(plan, name).order_by().aggregate(Count("pk"), Max("pk"), *_CHANGES.get(name, ())))
    return seen


def described(plan: Task) -> bytes:
    """Return `plan.json`: the same bytes for the same rows."""
    data: Row = {"format": FORMAT, "project": plan.project.slug, "plan": plan.public_id}
    for name, model in TABLES.items():
        outside = {field.attname: _outside(plan, name, field) for field in references_of(model)}
        data[name] = [_plain(row, model, outside) for row in rows_of(plan, name).iterator(chunk_size=2000)]
    data["contents"] = [{"sha256": content.sha256, "size_bytes": content.size_bytes} for content in contents_of(plan)]
    return json.dumps(data, default=_as_text, ensure_ascii=False, indent=0, sort_keys=True).encode()


def _as_text(value: datetime | Decimal) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def contents_of(plan: Task) -> QuerySet[Content]:
    keys = rows_of(plan, "versions").order_by().values("content")
    return Content.objects.filter(pk__in=keys).order_by("sha256")


def columns_of(model: type[Model]) -> list[Field[Any, Any]]:
    """Return the columns that are stored as they are: neither references nor what the database computes."""
    return [f for f in model._meta.local_concrete_fields if not isinstance(f, ForeignKey) and not f.generated]


def references_of(model: type[Model]) -> list[Any]:
    columns = model._meta.local_concrete_fields
    return [field for field in columns if isinstance(field, ForeignKey) and field.related_model is not Project]


def _outside(plan: Task, name: str, field: Any) -> dict[int, Any]:
    """Return the names of what a column refers to outside of the plan's own tables."""
    rows = rows_of(plan, name).order_by().exclude(**{field.attname: None})
    if column := _OUTSIDE.get(field.related_model):
        return dict(rows.values_list(field.attname, f"{field.name}__{column}"))
    if field.related_model is not Task or name != "dependencies":  # all others are about the plan's own
        return {}
    to = field.name
    elsewhere = rows.exclude(Q(**{to: plan.pk}) | Q(**{f"{to}__root": plan.pk}))
    named = elsewhere.values_list(field.attname, f"{to}__public_id", f"{to}__root__public_id")
    return {key: {"task": public_id, "plan": root or public_id} for key, public_id, root in named}


def _plain(row: Any, model: type[Model], outside: dict[str, dict[int, Any]]) -> Row:
    plain: Row = {field.attname: getattr(row, field.attname) for field in columns_of(model)}
    for field in references_of(model):
        key = getattr(row, field.attname)
        plain[field.name] = outside[field.attname].get(key, key)
    return plain


def _value(field: Field[Any, Any], value: Any, row: Model) -> Any:
    if value is None and not field.null:
        raise ValueError
    made = field.to_python(value)
    # A time beyond these years is none in UTC, and no column says that a cost is not negative.
    if (isinstance(made, datetime) and not 1 < made.year <= NEVER.year) or (isinstance(made, Decimal) and made < 0):
        raise ValueError
    if value not in field.empty_values and not field.primary_key:
        field.clean(made, row)
    return made


def built(name: str, row: Row, number: int) -> Any:
    """Make an unsaved row of what an export says, without its references. Raises Invalid, naming the place.

    An export from before a column was added lacks it; then the default of the column holds.
    """
    model, at = TABLES[name], f"{name}[{number}]"
    columns, references = columns_of(model), {field.name for field in references_of(model)}
    needed = references | {each.attname for each in columns if not (each.has_default() or each.null or each.blank)}
    known = references | {each.attname for each in columns}
    if not isinstance(row, dict) or not needed <= set(row) <= known:
        raise invalid([{"at": at, "problem": "has not the columns of this format"}])
    made = model()
    try:
        for field in (each for each in columns if each.attname in row):
            setattr(made, field.attname, _value(field, row[field.attname], made))
    except (ValidationError, TypeError, ValueError) as error:
        raise invalid([{"at": f"{at}.{field.attname}", "problem": "is not a value of this column"}]) from error
    if not isinstance(made.pk, int) or made.pk < 1:
        raise invalid([{"at": f"{at}.id", "problem": "must be a positive number"}])
    return made
