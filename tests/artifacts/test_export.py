"""`manage.py artifacts export`: plain files at their logical paths, never over what is not ours, never elsewhere."""

from __future__ import annotations

import errno
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from artifacts import storage
from artifacts.export.safe_writer import Root
from artifacts.models import Artifact, Content
from tasks.models import Project, Task
from tests.factories import make_artifact, make_plan, make_project, make_task

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project() -> Project:
    return make_project("shop")


@pytest.fixture
def task(project: Project) -> Task:
    return make_task(project)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def export(out: Path, *options: str) -> str:
    printed = io.StringIO()
    call_command("artifacts", "export", str(out), *options, stdout=printed)
    return printed.getvalue()


def refused(out: Path, *options: str) -> str:
    with pytest.raises(CommandError) as error:
        export(out, *options)
    assert error.value.returncode == 1
    return str(error.value)


def files(folder: Path) -> dict[str, str]:
    """Return the files that are works, with their texts."""
    ours = ("artifacts.json", ".artifacts-lock")
    found = (path for path in folder.rglob("*") if path.is_file() and path.name not in ours)
    return {str(path.relative_to(folder)): path.read_bytes().decode() for path in found}


def rows(folder: Path) -> dict[str, Any]:
    return {row.pop("file"): row for row in json.loads((folder / "artifacts.json").read_bytes())["files"]}


def spoil(artifact: Artifact) -> None:
    Content.objects.filter(versions__artifact=artifact).update(data=b"something else")


def test_files_lie_at_their_paths_below_their_project_with_the_exact_bytes(task: Task, out: Path) -> None:
    artifact = make_artifact(task, "one", "zwei\r\n\x00ü", paths=["src/a.py", "docs/ä.md"], kind="code")
    pathless = make_artifact(task, "no path")
    make_artifact(make_task(make_project("other")), "x", paths=["src/a.py"])
    assert export(out).startswith("4 files written")
    assert files(out) == {
        "shop/src/a.py": "zwei\r\n\x00ü",
        "shop/docs/ä.md": "zwei\r\n\x00ü",
        f"shop/{task.public_id}/{pathless.public_id}.md": "no path",
        "other/src/a.py": "x",
    }
    reported = rows(out / "shop")["src/a.py"]
    version = artifact.versions.get(number=2)
    assert reported == {
        "path": "src/a.py",
        "artifact_id": artifact.public_id,
        "version": 2,
        "task_id": task.public_id,
        "kind": "code",
        "sha256": version.content.sha256,
        "size_bytes": 9,
        "delivered_at": version.created_at.isoformat(),
    }
    assert (out / "shop/src/a.py").stat().st_mtime == pytest.approx(version.created_at.timestamp())


def test_all_versions_lie_side_by_side_when_asked_for(task: Task, out: Path) -> None:
    make_artifact(task, "one", "two", "three", paths=["a.py"])
    export(out, "--all-versions")
    assert files(out / "shop") == {"a.py": "three", "a~v1.py": "one", "a~v2.py": "two"}


def test_a_project_a_plan_or_a_task_is_exported_alone(project: Project, out: Path) -> None:
    plan = make_plan(project, 2)
    first, second = plan.descendants.all()
    below = make_task(project, parent=second)
    for number, task in enumerate([first, below, make_task(project), make_task(make_project("other"))]):
        make_artifact(task, str(number), paths=[f"{number}.txt"])
    assert export(out / "a", "--project", "shop").startswith("3 files")
    assert export(out / "b", "--plan", plan.public_id).startswith("2 files")
    assert export(out / "c", "--task", second.public_id).startswith("1 files")
    assert files(out / "c") == {"shop/1.txt": "1"}
    assert "There is no plan" in refused(out, "--plan", first.public_id)
    assert "There is no task" in refused(out, "--task", "task_nope")
    assert "There is no project" in refused(out, "--project", "nope")


def test_again_it_writes_only_what_changed(task: Task, out: Path) -> None:
    make_artifact(task, "one", paths=["a.py"])
    make_artifact(task, "two", paths=["b.py"])
    export(out)
    kept, moment = (out / "shop/a.py").stat().st_ino, (out / "shop/a.py").stat().st_mtime_ns
    (out / "shop/b.py").unlink()
    assert "1 files written" in export(out)
    assert "0 files written" in export(out)
    assert ((out / "shop/a.py").stat().st_ino, (out / "shop/a.py").stat().st_mtime_ns) == (kept, moment)


def test_a_new_version_replaces_the_file_that_was_exported(task: Task, out: Path) -> None:
    artifact = make_artifact(task, "one", "two", paths=["a.py"])
    Artifact.objects.filter(pk=artifact.pk).update(version=1)
    export(out)
    Artifact.objects.filter(pk=artifact.pk).update(version=2)
    export(out)
    assert files(out / "shop") == {"a.py": "two"}


def test_a_file_that_a_person_made_or_changed_is_left_and_reported_and_the_rest_goes_on(task: Task, out: Path) -> None:
    for name in ("a.py", "b.py", "c.py"):
        make_artifact(task, name, paths=[name])
    (out / "shop").mkdir(parents=True)
    (out / "shop/a.py").write_text("mine")
    reported = refused(out)
    assert "2 files written" in reported and "a.py: a file that was not exported" in reported
    (out / "shop/b.py").write_text("changed")
    assert "b.py:" in refused(out)
    assert files(out / "shop") == {"a.py": "mine", "b.py": "changed", "c.py": "c.py"}


@pytest.mark.parametrize("hostile", ["../../x", "/etc/passwd", "C:\\x", "a/../../../b", "..\\..\\c"])
def test_hostile_paths_stay_below_the_folder(task: Task, out: Path, hostile: str) -> None:
    from artifacts.paths import normalised

    make_artifact(task, "hostile", paths=[normalised(hostile)])
    export(out)
    assert list(files(out).values()) == ["hostile"]
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_links_and_pipes_are_never_followed_nor_replaced(task: Task, out: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for path in ("folder/a", "file", "passwd", "pipe", "good", "deep/er/b"):
        make_artifact(task, path, paths=[path])
    shop = out / "shop"
    (shop / "deep").mkdir(parents=True)
    (shop / "folder").symlink_to(elsewhere, target_is_directory=True)
    (shop / "deep/er").symlink_to(elsewhere, target_is_directory=True)
    (shop / "file").symlink_to(elsewhere / "made")
    (shop / "passwd").symlink_to("/etc/passwd")
    os.mkfifo(shop / "pipe")
    reported = refused(out)
    assert "1 files written" in reported
    for name in ("folder: a link", "deep/er: a link", "file: a link", "passwd: a link", "pipe: no plain file"):
        assert name in reported
    assert list(elsewhere.iterdir()) == []
    assert (shop / "good").read_text() == "good"
    assert (shop / "passwd").is_symlink() and (shop / "pipe").is_fifo()


def test_a_project_whose_folder_is_a_link_is_reported_and_the_others_are_exported(task: Task, out: Path) -> None:
    make_artifact(task, "x", paths=["a"])
    make_artifact(make_task(make_project("other")), "y", paths=["b"])
    out.mkdir()
    (out / "shop").symlink_to(out.parent)
    assert "shop: a link or a file is in the way" in refused(out)
    assert (out / "other/b").read_text() == "y" and not (out.parent / "a").exists()


def test_a_manifest_that_is_none_of_ours_stops_the_export_of_its_project(task: Task, out: Path) -> None:
    make_artifact(task, "x", paths=["a"])
    (out / "shop").mkdir(parents=True)
    (out / "shop/artifacts.json").write_text("[]")
    assert "artifacts.json is in the way" in refused(out)
    assert files(out / "shop") == {}


def test_a_manifest_as_large_as_allowed_is_read_and_one_byte_more_is_none_of_ours(
    task: Task, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_artifact(task, "x", paths=["a"])
    export(out)
    size = (out / "shop/artifacts.json").stat().st_size
    monkeypatch.setattr("artifacts.export.manifest._LIMIT", size)
    export(out)
    monkeypatch.setattr("artifacts.export.manifest._LIMIT", size - 1)
    assert "artifacts.json is in the way" in refused(out)


def test_a_manifest_that_names_files_elsewhere_frees_none_of_them(task: Task, out: Path) -> None:
    make_artifact(task, "x", paths=["a"])
    export(out)
    victim = out / "victim"
    victim.write_text("mine")
    said = json.loads((out / "shop/artifacts.json").read_text())
    said["files"].append({**said["files"][0], "file": "../victim"})
    (out / "shop/artifacts.json").write_text(json.dumps(said))
    export(out)
    assert victim.read_text() == "mine" and "../victim" not in rows(out / "shop")


def test_a_damaged_artifact_is_left_out_and_reported(task: Task, out: Path) -> None:
    large = make_artifact(task, "".join(f"{number} line\n" for number in range(60_000)), paths=["large.txt"])
    spoil(make_artifact(task, "spoilt", paths=["spoilt.txt"]))
    make_artifact(task, "good", paths=["good.txt"])
    path = storage.path_of(large.versions.get().content.sha256)
    path.write_bytes(path.read_bytes()[:-9] + b"x" * 9)
    reported = refused(out)
    assert "spoilt.txt" in reported and f"large.txt: {large.public_id} version 1 is damaged" in reported
    assert files(out / "shop") == {"good.txt": "good"}
    assert not list((out / "shop").glob(".artifacts-writing-*"))


def test_what_a_killed_export_was_writing_goes_with_the_next(task: Task, out: Path) -> None:
    make_artifact(task, "x", paths=["a"])
    (out / "shop").mkdir(parents=True)
    (out / "shop/.artifacts-writing-0123").write_text("half")
    export(out)
    assert sorted(path.name for path in (out / "shop").iterdir()) == [".artifacts-lock", "a", "artifacts.json"]


def test_bytes_that_a_killed_export_wrote_but_did_not_note_are_known_by_the_store(task: Task, out: Path) -> None:
    make_artifact(task, "one", "two", paths=["a.py"])
    (out / "shop").mkdir(parents=True)
    (out / "shop/a.py").write_text("one")
    export(out)
    assert files(out / "shop") == {"a.py": "two"}


@pytest.mark.parametrize("place", ["", "out", "content/x"])
def test_the_products_own_folder_is_refused(task: Task, place: str) -> None:
    make_artifact(task, "x", paths=["a"])
    assert "belongs to the product's own data folder" in refused(Path(settings.ORCHESTRATOR_HOME) / place)


def test_a_link_to_the_products_own_folder_is_refused_too(task: Task, tmp_path: Path) -> None:
    make_artifact(task, "x", paths=["a"])
    (tmp_path / "link").symlink_to(settings.ORCHESTRATOR_HOME)
    assert "belongs to the product's own data folder" in refused(tmp_path / "link")


def test_a_folder_that_is_swapped_for_a_link_while_writing_leads_nowhere_else(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "root/inner").mkdir(parents=True)

    def swapping() -> Any:
        yield b"begun"
        (tmp_path / "root/inner").rename(tmp_path / "root/moved")
        (tmp_path / "root/inner").symlink_to(elsewhere)
        yield b"done"

    with Root.at(tmp_path, "root") as root:
        root.write("inner/file", swapping())
    assert list(elsewhere.iterdir()) == []
    assert (tmp_path / "root/moved/file").read_bytes() == b"begundone"


def test_without_held_folders_links_are_refused_anyway(
    task: Task, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator_site.kernel.folders._HOLDS_FOLDERS", False)
    make_artifact(task, "a", paths=["folder/a"])
    make_artifact(task, "b", paths=["b/c/d"])
    (out / "shop").mkdir(parents=True)
    (out / "shop/folder").symlink_to(tmp_path)
    assert "folder: a link" in refused(out)
    assert files(out / "shop") == {"b/c/d": "b"} and not (tmp_path / "a").exists()


def test_a_project_whose_folder_the_system_refuses_is_reported_and_the_others_are_exported(
    task: Task, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_artifact(task, "a", paths=["a.txt"])
    make_artifact(make_task(make_project("other")), "b", paths=["b.txt"])
    made = os.mkdir

    def refusing(path: Any, *args: Any, **options: Any) -> None:
        if path == "shop":
            raise PermissionError(errno.EACCES, "Permission denied")
        made(path, *args, **options)

    monkeypatch.setattr(os, "mkdir", refusing)
    assert f"{out}/shop: Permission denied" in refused(out)
    assert files(out / "other") == {"b.txt": "b"}


def test_an_artifact_that_the_system_does_not_read_is_reported_and_the_rest_is_exported(task: Task, out: Path) -> None:
    large = make_artifact(task, "large " * 20_000, paths=["a.txt"])
    make_artifact(task, "b", paths=["b.txt"])
    path = storage.path_of(large.versions.get().content.sha256)
    path.unlink()
    path.mkdir()
    assert "a.txt: The stored artifact cannot be read" in refused(out)
    assert files(out / "shop") == {"b.txt": "b"}
