"""The live mirror: files of what was delivered in the project's folder, and nothing lost that people put there."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from artifacts import storage
from artifacts.api.uploads import MEDIA_TYPE
from artifacts.export.contents import versions_in
from artifacts.models import Artifact, Content
from artifacts.receivers import update_mirror
from artifacts.services.mirror import mirror, mirror_all, mirror_now
from artifacts.services.store import store_artifact
from orchestrator_site.kernel.errors import Conflict, Invalid, Transient
from tasks.identity.actor import Actor
from tasks.models import Project, Task
from tasks.services.claim import locked
from tests.assistants import Assistant
from tests.factories import make_artifact, make_project, make_task, make_user
from tests.rest import API, rest

pytestmark = pytest.mark.django_db(transaction=True)
OURS = (".artifacts-lock", ".gitignore", "ARTIFACTS.md", "artifacts.json")


@pytest.fixture
def project(folder: Path) -> Project:
    return make_project("shop", root_path=str(folder), settings={"mirror": True})


@pytest.fixture
def task(project: Project) -> Task:
    return make_task(project)


@pytest.fixture
def place(folder: Path) -> Path:
    return folder / ".task_orchestrator" / "artifacts"


def deliver(task: Task, text: str, *paths: str) -> Artifact:
    prepared = storage.prepare(text)
    with transaction.atomic():
        held = locked(task)
        update_mirror(project=held.project)
        return store_artifact(task=held, actor=Actor(kind="system", name="x"), prepared=prepared, paths=paths).artifact


def files(place: Path) -> dict[str, str]:
    """Return what is in the mirror besides what says of it."""
    found = {str(path.relative_to(place)): path for path in place.rglob("*") if path.is_file()}
    return {name: path.read_text() for name, path in found.items() if name not in OURS}


def changed(place: Path) -> list[str]:
    return [text for name, text in files(place).items() if "~changed-" in name]


def test_a_delivery_of_an_assistant_is_in_the_mirror_when_it_is_answered(ada: Assistant, place: Path) -> None:
    Project.objects.update(settings={"mirror": True})
    planned = ada.call(
        "plan_task", description="x", subtasks=[{"title": "y", "description": "y", "specialist_type": "tester"}]
    )
    task = planned["subtasks"][0]["task_id"]
    done = {"summary": "s", "detailed_work": "# Exact\r\n", "next_action": "complete", "file_paths": ["docs/a.md"]}
    ada.call("complete_subtask", task_id=task, **done)
    assert (place / "docs/a.md").read_bytes() == b"# Exact\r\n"
    assert sorted(path.name for path in place.iterdir() if path.is_file()) == sorted(OURS)


def test_an_upload_of_bytes_is_in_the_mirror_when_its_commit_is_answered(folder: Path, place: Path) -> None:
    ada = rest()
    made = ada.post("/projects", {"name": "Shop", "root_path": str(folder), "settings": {"mirror": True}})
    task = ada.plan(Project.objects.get(slug=made["slug"]), "A")["A"]
    upload = ada.post("/uploads", {"task_id": task, "file_paths": ["dist/till.bin"]})["upload_id"]
    address, data = f"{API}/uploads/{upload}", bytes(range(256)) * 1_000
    ada.client.generic("PATCH", address, data, content_type=MEDIA_TYPE, headers={"Upload-Offset": "0"})
    assert not (place / "dist").exists()
    ada.post(f"/uploads/{upload}/commit")
    assert (place / "dist/till.bin").read_bytes() == data


def test_without_the_switch_nothing_is_written(task: Task, project: Project, folder: Path) -> None:
    Project.objects.update(settings={})
    deliver(task, "x", "a.txt")
    mirror_now(project.pk)
    assert list(folder.iterdir()) == []


def test_a_delivery_that_is_taken_back_is_not_mirrored(task: Task, place: Path) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        deliver(task, "x", "a.txt")
        raise ZeroDivisionError
    assert not place.exists()


def test_each_delivery_is_there_at_once_with_its_path_in_the_manifest(task: Task, place: Path) -> None:
    first = deliver(task, "one", "a.txt", "b/a.txt")
    deliver(task, "two", "a.txt", "b/a.txt")
    pathless = deliver(task, "none")
    assert files(place) == {"a.txt": "two", "b/a.txt": "two", f"{task.public_id}/{pathless.public_id}.md": "none"}
    rows = json.loads((place / "artifacts.json").read_text())["files"]
    assert [(row["file"], row["artifact_id"], row["version"]) for row in rows][:2] == [
        ("a.txt", first.public_id, 2),
        ("b/a.txt", first.public_id, 2),
    ]
    assert (place / ".gitignore").read_text() == "*\n"


def test_of_two_tasks_that_deliver_a_path_the_later_has_it_and_the_earlier_lies_beside(task: Task, place: Path) -> None:
    earlier = deliver(task, "earlier", "a.py")
    deliver(make_task(task.project), "later", "a.py")
    assert files(place) == {"a.py": "later", f"a~{earlier.public_id}.py": "earlier"}


def test_artifacts_named_like_our_own_files_lie_beside_them(task: Task, place: Path) -> None:
    found = deliver(task, "{}", "artifacts.json")
    assert files(place) == {f"_artifacts~{found.public_id}.json": "{}"}


def test_files_that_were_lost_come_back(task: Task, place: Path) -> None:
    deliver(task, "one", "a.txt")
    deliver(task, "two", "b/c.txt")
    (place / "a.txt").unlink()
    (place / "b/c.txt").unlink()
    (place / "b").rmdir()
    assert mirror_all() == "Wrote 2 and removed 0 files of 1 mirrors."
    assert files(place) == {"a.txt": "one", "b/c.txt": "two"}
    assert mirror_all() == "Wrote 0 and removed 0 files of 1 mirrors."


def test_files_of_artifacts_that_are_gone_go_and_their_empty_folders_with_them(task: Task, place: Path) -> None:
    deliver(task, "kept", "kept.txt")
    deliver(task, "gone", "deep/er/gone.txt").delete()
    mirror_all()
    assert files(place) == {"kept.txt": "kept"} and not (place / "deep").exists()


def test_a_file_that_cannot_be_removed_holds_up_no_other_and_is_tried_again(
    task: Task, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(task, "gone", "gone.txt").delete()

    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr("artifacts.export.safe_writer.Root.remove", refuse)
        deliver(task, "new", "new.txt")
        assert "gone.txt: it could not be removed: Permission denied" in mirror_all()
    assert files(place) == {"gone.txt": "gone", "new.txt": "new"}
    mirror_all()
    assert files(place) == {"new.txt": "new"}


def test_a_file_that_becomes_a_folder_makes_room(task: Task, place: Path) -> None:
    first = deliver(task, "file", "a")
    deliver(task, "below", "a/b")
    assert files(place) == {f"a~{first.public_id}": "file", "a/b": "below"}


def test_what_a_person_changed_is_kept_beside_the_delivered_file(task: Task, place: Path) -> None:
    deliver(task, "one", "a.txt")
    (place / "a.txt").write_text("mine")
    mirror_all()
    assert (place / "a.txt").read_text() == "one" and changed(place) == ["mine"]
    (place / "a.txt").write_text("mine too")
    deliver(task, "two", "a.txt")
    assert (place / "a.txt").read_text() == "two" and sorted(changed(place)) == ["mine", "mine too"]


def test_what_a_person_changed_stays_when_its_artifact_is_gone(task: Task, place: Path) -> None:
    artifact = deliver(task, "one", "a.txt")
    (place / "a.txt").write_text("mine")
    artifact.delete()
    mirror_all()
    assert files(place) == {"a.txt": "mine"}


def test_a_file_of_a_person_at_a_path_that_is_delivered_is_kept_beside(task: Task, place: Path) -> None:
    (place / "notes").mkdir(parents=True)
    (place / "notes/a.txt").write_text("mine")
    (place / "other.txt").write_text("left alone")
    deliver(task, "one", "notes/a.txt")
    assert (place / "notes/a.txt").read_text() == "one"
    assert changed(place) == ["mine"] and (place / "other.txt").read_text() == "left alone"


def test_two_changed_copies_of_one_name_are_both_kept(task: Task, place: Path) -> None:
    deliver(task, "one", "a.txt")
    (place / "a.txt").write_text("mine")
    mirror_all()
    copy = next(path for path in place.iterdir() if "~changed-" in path.name)
    copy.write_text("the copy was changed as well")
    (place / "a.txt").write_text("mine")
    mirror_all()
    assert sorted(changed(place)) == ["mine", "the copy was changed as well"]


def test_a_manifest_that_a_person_changed_is_kept_beside_and_made_again(task: Task, place: Path) -> None:
    deliver(task, "one", "a.txt")
    (place / "artifacts.json").write_text("not ours")
    mirror_all()
    assert changed(place) == ["not ours"] and files(place)["a.txt"] == "one"
    assert json.loads((place / "artifacts.json").read_text())["files"][0]["file"] == "a.txt"


def test_a_manifest_of_another_database_frees_no_file(task: Task, place: Path) -> None:
    deliver(task, "one", "a.txt")
    said = json.loads((place / "artifacts.json").read_text())
    (place / "artifacts.json").write_text(json.dumps({**said, "project_since": "2001-01-01T00:00:00+00:00"}))
    Artifact.objects.all().delete()
    Content.objects.all().delete()
    deliver(task, "another", "a.txt")
    assert (place / "a.txt").read_text() == "another" and changed(place) == ["one"]


def test_a_manifest_that_names_files_elsewhere_removes_none_of_them(task: Task, place: Path, folder: Path) -> None:
    deliver(task, "one", "a.txt")
    (folder / "victim").write_text("one")
    said = json.loads((place / "artifacts.json").read_text())
    said["files"].append({**said["files"][0], "file": "../../victim"})
    (place / "artifacts.json").write_text(json.dumps(said))
    mirror_all()
    assert (folder / "victim").read_text() == "one"


@pytest.mark.parametrize("level", [".task_orchestrator", ".task_orchestrator/artifacts"])
def test_a_link_in_place_of_its_folder_is_refused_and_the_delivery_holds(
    task: Task, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, level: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (folder / level).parent.mkdir(exist_ok=True)
    (folder / level).symlink_to(elsewhere)
    with caplog.at_level(logging.WARNING):
        deliver(task, "x", "a.txt")
    assert "a link or a file is in the way" in caplog.text
    assert list(elsewhere.iterdir()) == [] and Artifact.objects.count() == 1
    assert "is in the way" in mirror_all()


def test_links_and_pipes_within_it_are_neither_followed_nor_replaced(
    task: Task, place: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    place.mkdir(parents=True)
    (place / "folder").symlink_to(elsewhere)
    (place / "passwd").symlink_to("/etc/passwd")
    os.mkfifo(place / "pipe")
    for path in ("folder/a", "passwd", "pipe", "good"):
        deliver(task, path, path)
    assert list(elsewhere.iterdir()) == []
    assert (place / "passwd").is_symlink() and (place / "pipe").is_fifo() and (place / "good").read_text() == "good"
    assert "folder: a link" in caplog.text and "pipe: no plain file" in caplog.text


def test_a_lock_or_a_manifest_that_is_a_link_stops_the_mirror(task: Task, place: Path, tmp_path: Path) -> None:
    for name in (".artifacts-lock", "artifacts.json", "ARTIFACTS.md"):
        place.mkdir(parents=True, exist_ok=True)
        (place / name).unlink(missing_ok=True)
        (place / name).symlink_to(tmp_path / "target")
        deliver(task, name, "a.txt")
        assert not (tmp_path / "target").exists()
        (place / name).unlink()


def test_a_failure_does_not_fail_the_delivery_and_is_repaired_by_the_job(
    task: Task, place: Path, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder.rename(folder.with_name("away"))
    artifact = deliver(task, "x", "a.txt")
    assert artifact.version == 1 and "mirror_artifacts" in caplog.text
    folder.with_name("away").rename(folder)
    mirror_all()
    assert files(place) == {"a.txt": "x"}


def test_a_damaged_artifact_is_left_out_and_reported_and_what_was_good_stays(task: Task, place: Path) -> None:
    deliver(task, "good", "a.txt")
    deliver(task, "other", "b.txt")
    with transaction.atomic():
        Content.objects.create(sha256="0" * 64, size_bytes=3, size_chars=3, data=b"bad")
    version = Artifact.objects.get(paths__path="a.txt").versions.get()
    version.pk, version.number, version.content = None, 2, Content.objects.get(sha256="0" * 64)
    version.save()
    Artifact.objects.filter(pk=version.artifact_id).update(version=2)
    report = mirror(project=task.project)
    assert len(report.problems) == 1 and "a.txt" in report.problems[0] and "damaged" in report.problems[0]
    assert files(place) == {"a.txt": "good", "b.txt": "other"}


def test_a_process_that_holds_the_mirror_is_waited_for_and_then_left(
    task: Task, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from artifacts.export.safe_writer import Root

    monkeypatch.setattr("artifacts.services.mirror.PATIENCE_SECONDS", 0.05)
    deliver(task, "x", "a.txt")
    with Root.at(place) as root, root.locked(0), pytest.raises(Transient):
        mirror(project=task.project)


# The switch


def test_switching_it_on_writes_what_is_there_already(folder: Path, place: Path) -> None:
    project = make_project("shop", root_path=str(folder))
    make_artifact(make_task(project), "x", paths=["a.txt"])
    assert rest().send("PATCH", "/projects/shop", {"settings": {"mirror": True}}).status_code == 200
    assert files(place) == {"a.txt": "x"}


def test_switching_it_on_needs_the_scope_admin(folder: Path, place: Path) -> None:
    make_project("shop", root_path=str(folder))
    worker = rest(scopes=("read", "write", "review"))
    worker.refused(403, "PATCH", "/projects/shop", {"settings": {"mirror": True}})
    assert not place.exists()


@pytest.mark.parametrize("root", ["", "/nowhere/at/all"])
def test_switching_it_on_without_a_folder_is_refused(root: str) -> None:
    make_project("shop", root_path=root)
    problem = rest().refused(400, "PATCH", "/projects/shop", {"settings": {"mirror": True}})
    assert "has no folder on this machine" in problem["detail"]
    rest().refused(400, "POST", "/projects", {"name": "New", "settings": {"mirror": True}})
    assert Project.objects.filter(settings__mirror=True).count() == 0


def test_other_settings_may_be_changed_while_the_folder_of_a_mirror_is_away() -> None:
    make_project("shop", root_path="/nowhere/at/all", settings={"mirror": True})
    answer = rest().send("PATCH", "/projects/shop", {"settings": {"mirror": True, "review": True}})
    assert answer.status_code == 200


def test_switching_it_off_leaves_the_files(task: Task, place: Path) -> None:
    deliver(task, "x", "a.txt")
    rest().send("PATCH", "/projects/shop", {"settings": {}})
    deliver(task, "y", "b.txt")
    assert files(place) == {"a.txt": "x"}


def test_the_admin_switches_it_on_where_there_is_a_folder(client: Client, folder: Path, place: Path) -> None:
    client.force_login(make_user(is_staff=True, is_superuser=True))
    project, without = make_project("shop", root_path=str(folder)), make_project("other")
    make_artifact(make_task(project), "x", paths=["a.txt"])
    sent = {"name": "Shop", "settings": '{"mirror": true}'}
    page = client.post(reverse("admin:tasks_project_change", args=[without.pk]), sent)
    assert "has no folder on this machine" in page.content.decode()
    assert client.post(reverse("admin:tasks_project_change", args=[project.pk]), sent).status_code == 302
    assert files(place) == {"a.txt": "x"}


def test_a_folder_of_the_products_own_is_refused(settings: Any, tmp_path: Path) -> None:
    settings.ORCHESTRATOR_HOME = str(tmp_path / ".task_orchestrator")
    with pytest.raises(Invalid, match="own data folder"):
        mirror(project=make_project("shop", root_path=str(tmp_path)))


def test_a_project_folder_that_was_swapped_for_a_link_is_refused(
    project: Project, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    folder.rmdir()
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises((Conflict, Invalid)):
        mirror(project=project)
    assert list((tmp_path / "elsewhere").iterdir()) == []


# What lies in the folder is anybody's

ROW = {
    "file": "gone.txt",
    "path": "gone.txt",
    "artifact_id": "a",
    "version": 1,
    "task_id": "t",
    "kind": "text",
    "sha256": "0" * 64,
    "size_bytes": 1,
    "delivered_at": "now",
}


@pytest.mark.parametrize(
    "wrong",
    [{"file": "a\x00b"}, {"file": "\ud800"}, {"file": "x" * 300 + "\udc80"}, {"path": "\ud800"}, {"version": [[1]]}],
)
def test_a_manifest_with_what_no_manifest_holds_is_kept_beside_and_stops_nothing(
    task: Task, place: Path, wrong: dict[str, Any]
) -> None:
    deliver(task, "x", "a.txt")
    said = json.loads((place / "artifacts.json").read_text())
    said["files"].append({**ROW, **wrong})
    (place / "artifacts.json").write_text(json.dumps(said))
    mirror_all()
    assert [row["file"] for row in json.loads((place / "artifacts.json").read_text())["files"]] == ["a.txt"]
    assert len(list(place.glob("artifacts~changed-*.json"))) == 1


def test_links_that_lead_to_themselves_are_in_the_way_of_their_project_alone(
    task: Task, folder: Path, tmp_path: Path
) -> None:
    (folder / ".task_orchestrator").symlink_to(".task_orchestrator")
    (tmp_path / "second").mkdir()
    second = make_project("second", root_path=str(tmp_path / "second"), settings={"mirror": True})
    deliver(make_task(second), "y", "b.txt")
    (tmp_path / "second/.task_orchestrator/artifacts/b.txt").unlink()
    assert "shop: .task_orchestrator/artifacts: .task_orchestrator: a link" in mirror_all()
    assert (tmp_path / "second/.task_orchestrator/artifacts/b.txt").read_text() == "y"


def test_a_project_without_a_folder_is_mirrored_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_artifact(make_task(make_project("shop", settings={"mirror": True})), "x", paths=["a.txt"])
    assert "shop: The project has no folder" in mirror_all()
    assert list(tmp_path.iterdir()) == []


def test_an_artifact_that_is_removed_while_it_is_written_holds_up_no_other(
    task: Task, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from artifacts.services import mirror as module

    make_artifact(task, "x", paths=["a.txt"])
    make_artifact(task, "y", paths=["b.txt"])
    versions = versions_in(task.project)
    Artifact.objects.filter(paths__path="a.txt").delete()
    Content.objects.filter(versions=None).delete()
    monkeypatch.setattr(module, "versions_in", lambda project: versions)
    assert "a.txt" in mirror_all() and files(place) == {"b.txt": "y"}


@pytest.mark.parametrize("before", ["delivered", "nothing"])
@pytest.mark.parametrize("by", ["writing into it", "putting another in its place"])
def test_what_a_person_writes_while_a_delivery_is_written_is_not_lost(
    task: Task, place: Path, monkeypatch: pytest.MonkeyPatch, before: str, by: str
) -> None:
    from artifacts.services import export as module

    if before == "delivered":
        deliver(task, "one", "a.txt")
    else:
        deliver(task, "other", "b.txt")

    def in_the_meantime(work: Any) -> Any:
        monkeypatch.undo()
        yield from module.chunks_of(work)
        if by == "writing into it":
            (place / "a.txt").write_text("mine")
        else:
            (place / "mine").write_text("mine")
            (place / "mine").replace(place / "a.txt")

    monkeypatch.setattr(module, "chunks_of", in_the_meantime)
    deliver(task, "two", "a.txt")
    assert files(place)["a.txt"] == "mine"
    mirror_all()
    assert changed(place) == ["mine"] and files(place)["a.txt"] == "two"


def test_what_a_person_writes_while_a_file_is_removed_is_not_lost(
    task: Task, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from artifacts.export.safe_writer import Root

    deliver(task, "one", "a.txt")
    Artifact.objects.all().delete()
    entered = Root.remove

    def in_the_meantime(root: Root, file: str, *seen: Any) -> None:
        (place / "a.txt").write_text("mine")
        entered(root, file, *seen)

    monkeypatch.setattr(Root, "remove", in_the_meantime)
    mirror_all()
    assert files(place) == {"a.txt": "mine"}


def test_a_folder_above_the_projects_that_was_swapped_for_a_link_is_refused(task: Task, tmp_path: Path) -> None:
    (tmp_path / "above/inner").mkdir(parents=True)
    Project.objects.filter(pk=task.project_id).update(root_path=str(tmp_path / "above/inner"))
    (tmp_path / "above").rename(tmp_path / "elsewhere")
    (tmp_path / "above").symlink_to(tmp_path / "elsewhere")
    deliver(task, "x", "a.txt")
    assert "above: a link or a file is in the way" in mirror_all()
    assert list((tmp_path / "elsewhere/inner").iterdir()) == []


def test_a_folder_named_as_what_is_being_written_stops_nothing(task: Task, place: Path) -> None:
    (place / ".artifacts-writing-mine").mkdir(parents=True)
    deliver(task, "x", "a.txt")
    assert files(place) == {"a.txt": "x"} and (place / ".artifacts-writing-mine").is_dir()


def test_a_link_that_goes_while_it_is_followed_is_in_the_way_of_its_project_alone(
    task: Task, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(path: str, **where: Any) -> str:
        raise FileNotFoundError(2, "No such file or directory")

    (folder / ".task_orchestrator").symlink_to(folder)
    monkeypatch.setattr(os, "readlink", gone)
    assert "shop: .task_orchestrator/artifacts: No such file or directory" in mirror_all()
