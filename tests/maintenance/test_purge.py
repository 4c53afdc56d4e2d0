"""Purging a plan and importing it again: nothing is lost, and nothing is taken in that no purge has written."""

from __future__ import annotations

import errno
import json
import os
import zipfile
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from artifacts import storage
from artifacts.models import Artifact, Content, ReviewComment
from artifacts.search.service import search
from maintenance.exports import zipped
from maintenance.models import Tombstone
from maintenance.selectors.purgeable import purgeable, purged
from maintenance.selectors.scope import of_project
from maintenance.services import purge as service
from maintenance.services.import_plan import import_plan
from maintenance.services.purge import purge
from orchestrator_site.kernel.errors import Conflict, Forbidden, Invalid, NotFound, OrchestratorError, TooLarge
from orchestrator_site.kernel.identity import Scope
from tasks.choices import Verb
from tasks.identity.actor import Actor
from tasks.models import Event, Evidence, Note, Project, Resource, ResourceNeed, Task, Waiver
from tasks.services.archive import archive, restore
from tests.factories import (
    make_artifact,
    make_attempt,
    make_dependency,
    make_event,
    make_plan,
    make_project,
    make_resource,
    make_session,
    make_task,
)
from tests.properties import Rows, all_rows

pytestmark = pytest.mark.django_db
ADA = Actor(kind="person", name="ada")
LONG = "A long report.\n" * 20_000


@pytest.fixture
def project(settings: Settings, tmp_path: Path) -> Project:
    settings.ORCHESTRATOR_HOME = tmp_path
    return make_project("shop")


@pytest.fixture
def plan(project: Project) -> Task:
    """Return a plan with something in every table, archived long ago."""
    plan = make_plan(project, 3, title="Lighthouse", statuses=["completed", "cancelled"])
    Task.objects.filter(pk=plan.pk).update(status="completed", completed_at=timezone.now())
    first, second, _ = plan.children.order_by("position")
    make_dependency(second, first)
    artifact = make_artifact(first, "Short", LONG, paths=["docs/report.md", "src/é.py"])
    session = make_session(project)
    make_event(first, Verb.COMPLETE, after={"summary": "Done"}, session=session)
    Note.objects.create(task=first, session=session, actor_name="ada", kind="decision", text="Use zip")
    Task.objects.filter(pk=first.pk).update(paths=["src"], gates=[{"kind": "report", "name": "t", "rung": "reported"}])
    shown = {"gate": "t", "kind": "report", "rung": 1, "passed": True, "lease_number": 1, "sha256": "0" * 64}
    by = {"session": session, "actor_kind": "assistant", "actor_name": "ada"}
    Evidence.objects.create(public_id="evidence_0000000001", task=first, facts={"tests": 3}, **shown, **by)
    Waiver.objects.create(task=first, gate="t", reason="Only words", **by)
    make_attempt(first, session=session, read_tokens=2**40, written_tokens=0, cost_usd=Decimal("0.25"))
    wishes = {"due_at": timezone.now(), "not_before": timezone.now(), "for_client": "codex", "for_model": "opus-4"}
    Task.objects.filter(pk=second.pk).update(effort="2 h", effort_minutes=120, **wishes)
    make_resource(project, "staging", first)
    version = artifact.versions.get(number=2)
    comment = {"text": "Why?", "author": "ada", "line": 1, "end_line": 2, "sent_at": timezone.now()}
    ReviewComment.objects.create(task=first, version=version, **comment)
    put_away(plan)
    return read(plan)


def read(plan: Task) -> Task:
    return Task.objects.select_related("project").get(public_id=plan.public_id)


def put_away(plan: Task, days: int = 400) -> None:
    archive(task=plan, actor=ADA, reason="Over")
    at = timezone.now() - timedelta(days=days)
    Task.objects.filter(pk=plan.pk).update(archived_at=at)
    Task.objects.filter(root=plan).update(archived_at=at)


def rows() -> Rows:
    """Every row but events and what is derived."""
    return {
        name: found for name, found in all_rows().items() if name not in ("Event", "SearchDocument", "SearchBacklog")
    }


def counts_of(plan: Task) -> list[int]:
    return [Task.objects.count(), Artifact.objects.count(), Event.objects.count(), Tombstone.objects.count()]


def export_of(tombstone: Tombstone) -> Path:
    return service.export_of(tombstone.project, tombstone.public_id)


def test_purge_and_import_leave_every_row_as_it_was(plan: Task, project: Project) -> None:
    before, events = rows(), list(Event.objects.order_by("pk").values())
    tombstone = purge(task=plan, actor=ADA, confirmed=True)
    assert not Task.objects.exists() and not Artifact.objects.exists()
    import_plan(project=project, export=export_of(tombstone), actor=ADA)
    assert rows() == before
    assert list(Event.objects.exclude(verb__in=["purge", "import"]).order_by("pk").values()) == events
    assert Tombstone.objects.get().imported_at is not None
    assert storage.text_of(Artifact.objects.get().versions.get(number=2).content) == LONG
    restore(task=Task.objects.get(pk=plan.pk), actor=ADA)
    assert [hit.task.pk for hit in search("Lighthouse", project=project).hits] == [plan.pk]


def test_what_is_imported_is_purged_again(plan: Task, project: Project) -> None:
    before = rows()
    for _ in range(2):
        tombstone = purge(task=read(plan), actor=ADA, confirmed=True)
        import_plan(project=project, export=export_of(tombstone), actor=ADA)
    assert rows() == before
    assert Tombstone.objects.count() == 2


def test_the_trail_and_a_tombstone_outlive_the_plan(plan: Task) -> None:
    tombstone = purge(task=plan, actor=ADA, confirmed=True)
    assert (tombstone.public_id, tombstone.title, tombstone.tasks) == (plan.public_id, "Lighthouse", 4)
    trail = list(Event.objects.order_by("pk").values_list("verb", "actor_name", "after__task_id", "task"))
    assert trail == [("archive", "ada", plan.public_id, None), ("purge", "ada", plan.public_id, None)]
    assert Event.objects.get(verb="purge").after["export"] == tombstone.export_name


def test_the_export_is_a_zip_of_the_plan_its_artifacts_and_their_hashes(plan: Task) -> None:
    tombstone = purge(task=plan, actor=ADA, confirmed=True)
    assert tombstone.export_name == f"shop/{plan.public_id}-{tombstone.export_sha256[:12]}.zip"
    with zipfile.ZipFile(export_of(tombstone)) as made:
        names = {f"artifacts/{content.sha256}" for content in Content.objects.all()} | {"plan.json", "manifest.json"}
        assert set(made.namelist()) == names
        data = json.loads(made.read("plan.json"))
        manifest = json.loads(made.read("manifest.json"))
    assert (data["format"], data["plan"], len(data["tasks"]), len(data["comments"])) == (1, plan.public_id, 4, 1)
    assert set(manifest["members"]) == names - {"manifest.json"}


def test_an_import_into_another_project_gets_keys_of_its_own(plan: Task, project: Project) -> None:
    tombstone = purge(task=plan, actor=ADA, confirmed=True)
    other = make_project("other")
    make_task(other)
    imported = import_plan(project=other, export=export_of(tombstone), actor=ADA)
    assert imported.public_id == plan.public_id and imported.project == other
    assert Task.objects.filter(root=imported, project=other).count() == 3
    assert Artifact.objects.get().paths.count() == 2
    assert Event.objects.filter(project=other, task__root=imported, verb="complete").count() == 1


def test_an_export_from_before_efforts_in_numbers_due_dates_and_usage_is_imported(
    plan: Task, project: Project, tmp_path: Path
) -> None:
    def older(data: dict[str, Any]) -> None:
        for row in data["tasks"]:
            for name in ("effort_minutes", "due_at", "not_before", "for_client", "for_model", "chain", "unblocks"):
                del row[name]
        for row in data["attempts"]:
            for name in ("read_tokens", "written_tokens", "cost_usd"):
                del row[name]

    export = _changed(export_of(purge(task=plan, actor=ADA, confirmed=True)), _in_plan(older), tmp_path)
    import_plan(project=project, export=export, actor=ADA)
    second = Task.objects.get(effort="2 h")
    assert (second.effort_minutes, second.due, second.not_before) == (120, None, None)


def test_wishes_of_an_import_are_in_lower_case_as_claims_compare_them(
    plan: Task, project: Project, tmp_path: Path
) -> None:
    wished = _in_plan(lambda data: data["tasks"][2].update(for_client="Codex", for_model=" Opus-4"))
    export = _changed(export_of(purge(task=plan, actor=ADA, confirmed=True)), wished, tmp_path)
    import_plan(project=project, export=export, actor=ADA)
    assert Task.objects.exclude(for_client="").values_list("for_client", "for_model").get() == ("codex", "opus-4")


def test_an_export_is_imported_once(plan: Task, project: Project) -> None:
    export = export_of(purge(task=plan, actor=ADA, confirmed=True))
    import_plan(project=project, export=export, actor=ADA)
    with pytest.raises(Conflict, match="exists already"):
        import_plan(project=make_project("other"), export=export, actor=ADA)
    with pytest.raises(Conflict):
        service.export_of(project, plan.public_id)


@pytest.mark.parametrize("days", [0, 364])
def test_a_plan_stays_until_it_was_archived_long_enough(plan: Task, days: int) -> None:
    Task.objects.update(archived_at=timezone.now() - timedelta(days=days))
    with pytest.raises(Conflict):
        purge(task=plan, actor=ADA, confirmed=True)
    assert Task.objects.count() == 4


def test_a_plan_that_was_archived_in_the_future_stays(plan: Task) -> None:
    Task.objects.update(archived_at=timezone.now() + timedelta(days=3))
    with pytest.raises(Conflict):
        purge(task=plan, actor=ADA, confirmed=True)
    assert purgeable(of_project(plan.project), timezone.now()) == []


def test_purging_needs_to_be_switched_on_or_confirmed_by_an_administrator(plan: Task) -> None:
    with pytest.raises(Forbidden):
        purge(task=plan, actor=ADA)
    with pytest.raises(Forbidden):
        purge(task=plan, actor=Actor("person", "bob", scopes=frozenset({Scope.WRITE})), confirmed=True)
    plan.project.settings = {"maintenance": {"purge": "act"}}
    assert purge(task=plan, actor=Actor.system()).public_id == plan.public_id


def test_only_whole_archived_plans_are_purged(plan: Task) -> None:
    with pytest.raises(Conflict):
        purge(task=plan.children.select_related("project").first(), actor=ADA, confirmed=True)
    Task.objects.filter(root=plan, position=1).update(archived_at=None)
    with pytest.raises(Conflict):
        purge(task=plan, actor=ADA, confirmed=True)
    assert purgeable(of_project(plan.project), timezone.now()) == []


def test_a_plan_that_others_depend_on_is_purged_and_imported_around_them(plan: Task, project: Project) -> None:
    other = make_plan(project, 1, statuses=["completed"])
    Task.objects.filter(pk=other.pk).update(status="completed", completed_at=timezone.now())
    make_dependency(other.children.get(), plan.children.first())
    with pytest.raises(Conflict, match=other.children.get().public_id):
        purge(task=plan, actor=ADA, confirmed=True)
    put_away(other)
    assert [found.subject for found in purgeable(of_project(project), timezone.now())] == [other.public_id]
    before = rows()
    second = purge(task=read(other), actor=ADA, confirmed=True)
    first = purge(task=plan, actor=ADA, confirmed=True)
    with pytest.raises(Conflict) as refused:
        import_plan(project=project, export=export_of(second), actor=ADA)
    assert refused.value.details == {"export": first.export_name}
    for tombstone in (first, second):
        import_plan(project=project, export=export_of(tombstone), actor=ADA)
    assert rows() == before


def test_what_was_purged_is_named_with_its_export(plan: Task, project: Project) -> None:
    assert purged(project, plan.public_id) is None
    tombstone = purge(task=plan, actor=ADA, confirmed=True)
    error = purged(project, plan.public_id)
    assert error is not None and tombstone.export_name in error.next


def test_a_change_during_the_export_keeps_the_plan(plan: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    write = zipped.write

    def and_comment(task: Task) -> zipped.Export:
        made = write(task)
        make_event(task, Verb.COMMENT)
        return made

    monkeypatch.setattr(zipped, "write", and_comment)
    with pytest.raises(Conflict):
        purge(task=plan, actor=ADA, confirmed=True)
    assert Task.objects.count() == 4 and not Tombstone.objects.exists()


def test_a_full_disk_is_an_error_and_nothing_is_deleted(plan: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = counts_of(plan)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OrchestratorError) as refused:
        purge(task=plan, actor=ADA, confirmed=True)
    assert refused.value.code == "unavailable" and counts_of(plan) == before
    assert not [path for path in zipped.folder().glob("**/*") if path.is_file()]


def test_damaged_bytes_keep_the_plan(plan: Task) -> None:
    storage.path_of(Content.objects.exclude(stored_as="").get().sha256).write_bytes(b"x")
    before = counts_of(plan)
    with pytest.raises(storage.Damaged):
        purge(task=plan, actor=ADA, confirmed=True)
    assert counts_of(plan) == before


Change = Callable[[dict[str, bytes]], None]


def _json(members: dict[str, bytes], name: str, change: Callable[[dict[str, Any]], None]) -> None:
    data = json.loads(members[name])
    change(data)
    members[name] = json.dumps(data).encode()


def _resign(members: dict[str, bytes]) -> None:
    """Let the manifest agree with what is there, as whoever forges an export would."""
    facts = {
        name: {"sha256": sha256(data).hexdigest(), "size_bytes": len(data)}
        for name, data in members.items()
        if name != "manifest.json"
    }
    _json(members, "manifest.json", lambda manifest: manifest.update(members=facts))


def _in_plan(change: Callable[[dict[str, Any]], None]) -> Change:
    def do(members: dict[str, bytes]) -> None:
        _json(members, "plan.json", change)
        _resign(members)

    return do


def _with(name: str, data: bytes) -> Change:
    def do(members: dict[str, bytes]) -> None:
        members[name] = data
        _resign(members)

    return do


HOSTILE: dict[str, Change] = {
    "a newer format": lambda all_: _json(all_, "manifest.json", lambda manifest: manifest.update(format=2)),
    "a newer plan": _in_plan(lambda data: data.update(format=2)),
    "no manifest": lambda all_: all_.__delitem__("manifest.json"),
    "no plan": lambda all_: all_.__delitem__("plan.json"),
    "a name outside": lambda all_: all_.update({"../evil": b"x"}),
    "bytes changed": lambda all_: all_.update({"plan.json": all_["plan.json"].replace(b"Lighthouse", b"Lightmouse")}),
    "another artifact": _with(f"artifacts/{'0' * 64}", b"x"),
    "an id twice": _in_plan(lambda data: data["tasks"].append({**data["tasks"][1], "id": 10**6})),
    "a key twice": _in_plan(lambda data: data["notes"].append(data["notes"][0])),
    "two roots": _in_plan(lambda data: data["tasks"][1].update(parent=None, root=None, depth=0)),
    "a task outside": _in_plan(lambda data: data["tasks"][1].update(parent=10**9)),
    "a task on the board": _in_plan(lambda data: data["tasks"][1].update(archived_at=None)),
    "a strange column": _in_plan(lambda data: data["tasks"][1].update(evil=1)),
    "a list as a reference": _in_plan(lambda data: data["events"][0].update(task=[1])),
    "an unknown status": _in_plan(lambda data: data["tasks"][1].update(status="evil")),
    "a time that is none": _in_plan(lambda data: data["tasks"][1].update(created_at="yesterday")),
    "a path outside": _in_plan(lambda data: data["paths"][0].update(path="../../etc/passwd")),
    "a time beyond all": _in_plan(lambda data: data["tasks"][1].update(due_at="9999-12-31T23:59:59-12:00")),
    "a time before all": _in_plan(lambda data: data["tasks"][1].update(not_before="0001-01-01T00:00:00+12:00")),
    "a cost below zero": _in_plan(lambda data: data["attempts"][0].update(cost_usd="-5")),
    "an id that is none": _in_plan(lambda data: data["tasks"][1].update(public_id="<script>")),
    "a list": _with("plan.json", b"[]"),
}


def _changed(export: Path, change: Change, folder: Path) -> Path:
    with zipfile.ZipFile(export) as made:
        members = {name: made.read(name) for name in made.namelist()}
    change(members)
    forged = folder / "forged.zip"
    with zipfile.ZipFile(forged, "w") as made:
        for name, data in members.items():
            made.writestr(name, data)
    return forged


@pytest.mark.parametrize("change", HOSTILE.values(), ids=[name.replace(" ", "-") for name in HOSTILE])
def test_no_other_file_is_imported(plan: Task, project: Project, tmp_path: Path, change: Change) -> None:
    tombstone = purge(task=plan, actor=ADA, confirmed=True)
    forged = _changed(export_of(tombstone), change, tmp_path)
    before = all_rows()
    with pytest.raises((Invalid, TooLarge)):
        import_plan(project=project, export=forged, actor=ADA)
    assert {**all_rows(), "Content": []} == {**before, "Content": []}
    assert Tombstone.objects.get().imported_at is None


def test_a_bomb_is_refused_before_it_is_unpacked(
    plan: Task, project: Project, tmp_path: Path, settings: Settings
) -> None:
    tombstone = purge(task=plan, actor=ADA, confirmed=True)
    settings.ORCHESTRATOR_MAX_UPLOAD_BYTES = 1000
    with pytest.raises(TooLarge):
        import_plan(project=project, export=export_of(tombstone), actor=ADA)


def test_what_is_no_zip_or_not_there_is_refused(project: Project, tmp_path: Path) -> None:
    (tmp_path / "none.zip").write_bytes(b"PK no")
    with pytest.raises(Invalid):
        import_plan(project=project, export=tmp_path / "none.zip", actor=ADA)
    with pytest.raises(NotFound):
        import_plan(project=project, export=tmp_path / "missing.zip", actor=ADA)


def test_an_import_leaves_out_the_need_of_a_resource_that_is_gone(plan: Task, project: Project) -> None:
    tombstone = purge(task=plan, actor=ADA, confirmed=True)
    Resource.objects.all().delete()
    import_plan(project=project, export=export_of(tombstone), actor=ADA)
    assert Task.objects.count() == 4 and not ResourceNeed.objects.exists()
