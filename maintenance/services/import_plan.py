"""Import the export of a purged plan: its rows under the same ids, archived as they were, with their artifacts."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Model
from django.utils import timezone

from artifacts import storage
from artifacts.models import Content
from artifacts.paths import normalised
from artifacts.search import index
from artifacts.search.documents import owner_of
from artifacts.storage import Prepared
from maintenance.exports.rows import TABLES, Row, built, references_of
from maintenance.exports.zipped import Opened, opened
from maintenance.models import Tombstone
from maintenance.selectors.purgeable import purged
from orchestrator_site.kernel.errors import Conflict, NotFound, invalid
from orchestrator_site.kernel.files import disk_fault
from orchestrator_site.kernel.identity import Scope
from tasks import events
from tasks.choices import Verb
from tasks.effort import minutes_in
from tasks.identity.actor import Actor
from tasks.models import Event, Project, Resource, Session, Task
from tasks.services import dependencies

_CHUNK = 500
_INDEX_SECONDS = 5.0
_PUBLIC_ID = re.compile(r"[\w.-]{1,90}_[0-9a-f]{2,40}")


def import_plan(*, project: Project, export: Path, actor: Actor) -> Task:
    """Import an export into a project, and return its plan. It is archived as it was: restoring it is another step.

    Raises Forbidden, NotFound without the file, Invalid or TooLarge for what is no sound export, Conflict where one of
    its ids exists, or something that it depends on has to be imported first.
    """
    actor.require(Scope.ADMIN)
    try:
        with export.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        with opened(export) as archive:
            data = archive.plan()
            rows = _built(data)
            _require_sound(data, rows)
            _require_new(rows)
            prepared = {row["sha256"]: _stored(archive, row["sha256"]) for row in data["contents"]}
    except FileNotFoundError as error:
        raise NotFound(
            f"The export {export.name} is not there.", next="Put it back from a backup of ORCHESTRATOR_HOME/exports."
        ) from error
    except OSError as error:
        raise disk_fault("The export cannot be read", error) from error
    plan = _Import(project, data, rows, prepared, sha256).commit(actor)
    index.catch_up(seconds=_INDEX_SECONDS)
    return plan


class _Import:
    """The rows of an export, and where their references lead once they are inserted."""

    def __init__(
        self, project: Project, data: Row, rows: dict[str, list[Any]], prepared: dict[str, Prepared], sha256: str
    ) -> None:
        self.project, self.data, self.rows, self.prepared, self.sha256 = project, data, rows, prepared, sha256
        self.lost = 0  # dependencies on what is gone
        self.known: dict[type[Model], dict[Any, Any]] = {}  # by what the export calls them
        self.keeps_keys = False

    def commit(self, actor: Actor) -> Task:
        try:
            with transaction.atomic():
                dependencies.lock_graph(self.project.pk)
                _require_new(self.rows)
                plan = self._insert_all()
                self._record(plan, actor)
        except IntegrityError as error:  # something with one of its ids came first, or a constraint refuses a row
            raise Conflict(
                f"{self.data['plan']} cannot be imported: the database refuses a row of it.",
                next="Check that none of its tasks exists, and that the export is of this version.",
            ) from error
        return plan

    def _insert_all(self) -> Task:
        """Insert every row, under its old key if it was purged here: then no other row can have it."""
        here = Tombstone.objects.filter(project=self.project, public_id=self.data["plan"], imported_at=None)
        self.keeps_keys = here.filter(export_sha256=self.sha256).exists()
        self.known[Content] = {sha256: storage.insert(each) for sha256, each in self.prepared.items()}
        wanted = {plain["session"] for name in TABLES for plain in self.data[name] if plain.get("session")}
        self.known[Session] = {row.public_id: row for row in Session.objects.filter(public_id__in=wanted)}
        self.known[Resource] = {row.name: row for row in Resource.objects.filter(project=self.project)}
        for name, model in TABLES.items():
            rows = self.rows[name]
            self.known[model] = {row.pk: row for row in rows}
            for row in rows:
                row.pk = row.pk if self.keeps_keys else None
            linked = [row for row, plain in zip(rows, self.data[name], strict=True) if self._link(row, plain, name)]
            self._insert(name, linked)
        plan: Task = self.known[Task][_root(self.data)["id"]]
        return plan

    def _insert(self, name: str, rows: list[Any]) -> None:
        if self.keeps_keys and name == "events":  # some have stayed
            stayed = Event.objects.filter(project=self.project, task=None).in_bulk([row.pk for row in rows])
            for row in (row for row in rows if row.pk in stayed):
                Event.objects.filter(pk=row.pk).update(task=row.task)
            rows = [row for row in rows if row.pk not in stayed]
        if name == "tasks":  # parents first
            for depth in sorted({row.depth for row in rows}):
                Task.objects.bulk_create([row for row in rows if row.depth == depth], batch_size=_CHUNK)
        else:
            TABLES[name]._default_manager.bulk_create(rows, batch_size=_CHUNK)

    def _link(self, row: Any, plain: Row, name: str) -> bool:
        """Set the references of a row; False where it depends on what is gone. Raises Invalid, Conflict."""
        if any(field.name == "project" for field in row._meta.fields):
            row.project = self.project
        for field in references_of(type(row)):
            value = plain[field.name]
            if isinstance(value, dict) and (name, field.name) == ("dependencies", "depends_on"):
                target = self._outside(value)
                if target is None:
                    self.lost += 1
                    return False
            else:
                target = self.known[field.related_model].get(value) if isinstance(value, int | str) else None
            if target is None and field.related_model is Resource:
                return False  # which is gone: nothing has to wait for it
            if target is None and not self._may_lack(field, value):
                raise invalid([{"at": f"{name}.{field.name}", "problem": "names a row that the export lacks"}])
            setattr(row, field.name, target)
        return True

    @staticmethod
    def _may_lack(field: Any, value: object) -> bool:
        """Whether a row may be without this reference: it had none, or its session is not known here."""
        return bool(field.null) and (value is None or field.related_model is Session)

    def _outside(self, named: Row) -> Task | None:
        """Return a task elsewhere that one of the plan depends on. Raises Conflict where it was purged."""
        public_id, plan = str(named.get("task")), str(named.get("plan"))
        found = Task.objects.filter(project=self.project, public_id=public_id).first()
        if found is None and (gone := purged(self.project, plan)):
            raise Conflict(f"It depends on {public_id}. {gone.message}", next=gone.next, details=gone.details)
        return found

    def _record(self, plan: Task, actor: Actor) -> None:
        index.note(owner_of(task=row.pk) for row in self.rows["tasks"])
        index.note(owner_of(artifact=row.pk) for row in self.rows["artifacts"])
        Tombstone.objects.filter(public_id=plan.public_id, imported_at=None).update(imported_at=timezone.now())
        after = {"task_id": plan.public_id, "tasks": len(self.rows["tasks"]), "sha256": self.sha256}
        if self.lost:
            after["lost_dependencies"] = self.lost
        events.record(actor=actor, verb=Verb.IMPORT, project=self.project.pk, task=plan, after=after)


def _built(data: Row) -> dict[str, list[Any]]:
    rows = {name: [built(name, row, number) for number, row in enumerate(data[name])] for name in TABLES}
    for task in rows["tasks"]:
        task.effort_minutes = minutes_in(task.effort)
        task.for_client, task.for_model = task.for_client.strip().lower(), task.for_model.strip().lower()
    for name, of_table in rows.items():
        for ids in ([row.pk for row in of_table], [row.public_id for row in of_table if hasattr(row, "public_id")]):
            if len(set(ids)) < len(ids):
                raise invalid([{"at": name, "problem": "has an id twice"}])
    return rows


def _root(data: Row) -> Row:
    roots = [row for row in data["tasks"] if row["parent"] is None and row["public_id"] == data.get("plan")]
    if len(roots) != 1:
        raise invalid([{"at": "tasks", "problem": "the plan is not among them exactly once"}])
    return dict(roots[0])


def _require_sound(data: Row, rows: dict[str, list[Any]]) -> None:
    """Check what no constraint of the database does. Raises Invalid."""
    root = _root(data)
    by_key = {row.pk: row for row in rows["tasks"]}
    for row, plain in zip(rows["tasks"], data["tasks"], strict=True):
        parent = by_key.get(plain["parent"]) if isinstance(plain["parent"], int) else None
        is_root = plain["id"] == root["id"]
        fits = row.depth == 0 and plain["root"] is None if is_root else plain["root"] == root["id"]
        if not fits or (not is_root and (parent is None or row.depth != parent.depth + 1)):
            raise invalid([{"at": row.public_id, "problem": "is not in the tree of the plan"}])
        if row.archived_at is None or not _PUBLIC_ID.fullmatch(row.public_id):
            raise invalid([{"at": row.public_id, "problem": "is not archived, or has no valid id"}])
    for path in rows["paths"]:
        try:
            is_logical = normalised(path.path) == path.path
        except ValueError:
            is_logical = False
        if not is_logical:
            raise invalid([{"at": "paths", "problem": f"{path.path[:100]!r} is not a logical path"}])


def _require_new(rows: dict[str, list[Any]]) -> None:
    """Check that none of the ids exists in any project. Raises Conflict."""
    for name in ("tasks", "artifacts", "uploads"):
        ids = [row.public_id for row in rows[name]]
        for start in range(0, len(ids), _CHUNK):
            taken = TABLES[name]._default_manager.filter(public_id__in=ids[start : start + _CHUNK])
            if found := taken.values_list("public_id", flat=True).first():
                raise Conflict(f"{found} exists already.", next="What is there was not purged, or was imported before.")


def _stored(archive: Opened, sha256: str) -> Prepared:
    """Store the bytes of an artifact, durable before a row names them. Raises Invalid where they are damaged."""
    with storage.Writer() as writer:
        for chunk in archive.content(sha256):
            writer.write(chunk)
        return writer.finish()
