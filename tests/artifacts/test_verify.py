"""`manage.py artifacts verify`: finds what is wrong and nothing else, and repairs what can be repaired."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from artifacts import storage
from artifacts.models import Artifact, Content
from artifacts.selectors import artifacts
from artifacts.services import sweep, verify
from artifacts.storage import Unreadable
from artifacts.storage.local import drafts
from tasks.models import Project
from tests.artifacts.shelf import Shelf
from tests.factories import make_artifact, make_project, make_task
from tests.mcp.stdio_client import ROOT, environment

TEXT = "".join(f"{number}: ünïcödé 漢字 🎉\r\n" for number in range(3000))


def reported(*, repair: bool = False) -> tuple[int, list[dict[str, Any]], dict[str, Any]]:
    """Run the command; returns its exit code, what it found, and its totals."""
    out, code = io.StringIO(), 0
    try:
        call_command("artifacts", "verify", "--json", *(["--repair"] if repair else []), stdout=out)
    except SystemExit as end:
        code = int(end.code or 0)
    *found, totals = [json.loads(line) for line in out.getvalue().splitlines()]
    return code, found, totals


def aged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everything count as more than a day old."""
    monkeypatch.setattr(sweep, "KEEP", timedelta(seconds=-10))
    monkeypatch.setattr(verify, "KEEP", timedelta(seconds=-10))


def kept(text: str = TEXT) -> tuple[Artifact, Content]:
    artifact = make_artifact(make_task(make_project()), text)
    return artifact, Content.objects.get(versions__artifact=artifact)


@pytest.mark.django_db
def test_what_is_sound_is_counted_and_nothing_is_reported(shelf: Shelf) -> None:
    kept()
    kept("Small")
    code, found, totals = reported()
    assert (code, found) == (0, [])
    assert (totals["contents"], totals["size_bytes"]) == (2, len(TEXT.encode()) + 5)


@pytest.mark.django_db
@pytest.mark.parametrize("repair", [False, True])
def test_missing_bytes_are_reported_with_what_they_hurt_and_stay_missing(shelf: Shelf, repair: bool) -> None:
    artifact, content = kept()
    shelf.remove(content.stored_as)
    for _ in range(2):
        code, [finding], totals = reported(repair=repair)
        assert (code, totals["harms"]) == (1, 1)
        assert (finding["what"], finding["name"], finding["size_bytes"], finding["hurts"]) == (
            "missing", content.sha256, len(TEXT.encode()), [f"{artifact.public_id} v1"],
        )  # fmt: skip


@pytest.mark.django_db
def test_damaged_bytes_are_put_aside_and_a_new_delivery_repairs_every_version(shelf: Shelf) -> None:
    artifact, content = kept()
    shelf.write(content.stored_as, shelf.read(content.stored_as)[:-1])
    assert reported()[1][0]["what"] == "damaged"
    assert shelf.aside() == []
    code, [finding], _ = reported(repair=True)
    assert (code, finding["done"]) == (1, "put aside")
    assert (shelf.names(), shelf.aside()) == ([], [content.stored_as])
    make_artifact(make_task(make_project()), TEXT)
    assert reported()[:2] == (0, [])
    assert storage.text_of(artifact.versions.get().content) == TEXT


def mirrored(artifact: Artifact, folder: Path, data: bytes, *, on: bool = True) -> Path:
    """Put a file into the mirror of an artifact's project."""
    path = folder / ".task_orchestrator" / "artifacts" / "src" / "a.txt"
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    Project.objects.filter(pk=artifact.project_id).update(root_path=str(folder), settings={"mirror": on})
    return path


@pytest.mark.django_db
@pytest.mark.parametrize("harm", ["gone", "damaged", "in the row"])
def test_a_mirror_that_has_the_same_bytes_repairs_them(shelf: Shelf, folder: Path, harm: str) -> None:
    text = "Small" if harm == "in the row" else TEXT
    artifact, content = kept(text)
    if harm == "gone":
        shelf.remove(content.stored_as)
    elif harm == "damaged":
        shelf.write(content.stored_as, b"damaged")
    else:
        Content.objects.update(data=b"Evil!")
    mirrored(artifact, folder, text.encode())
    code, [finding], totals = reported(repair=True)
    assert (code, finding["done"], totals["harms"]) == (0, "restored from a mirror", 0)
    assert reported()[:2] == (0, [])
    assert storage.text_of(artifact.versions.get().content) == text


@pytest.mark.django_db
@pytest.mark.parametrize("other", ["other bytes", "a link", "switched off", "no folder"])
def test_a_mirror_with_anything_else_repairs_nothing(folder_shelf: Shelf, folder: Path, other: str) -> None:
    artifact, content = kept()
    folder_shelf.remove(content.stored_as)
    same_size = TEXT.encode()[::-1] if other == "other bytes" else TEXT.encode()
    path = mirrored(artifact, folder, same_size, on=other != "switched off")
    if other == "a link":
        path.symlink_to(path.rename(folder / "elsewhere.txt"))
    if other == "no folder":
        Project.objects.update(root_path=str(folder / "gone"))
    code, [finding], _ = reported(repair=True)
    assert (code, finding["what"], finding["done"]) == (1, "missing", "")
    assert folder_shelf.names() == []


@pytest.mark.django_db
def test_damage_in_a_row_is_reported() -> None:
    artifact, _ = kept("Good")
    Content.objects.update(data=b"Evil")
    code, [finding], _ = reported(repair=True)
    assert (code, finding["what"], finding["hurts"]) == (1, "damaged", [f"{artifact.public_id} v1"])


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("what", "wrong"),
    [
        ("damaged index", {"index": b"nonsense"}),
        ("wrong counts", {"size_bytes": 7}),
        ("wrong counts", {"size_chars": 7}),
        ("wrong counts", {"size_lines": 7}),
        ("wrong counts", {"size_chars": None, "size_lines": None}),
    ],
)
def test_a_row_is_repaired_from_good_bytes(shelf: Shelf, what: str, wrong: dict[str, Any]) -> None:
    artifact, before = kept()
    Content.objects.update(**wrong)
    code, [finding], _ = reported()
    assert (code, finding["what"]) == (1, what)
    code, [finding], _ = reported(repair=True)
    assert (code, finding["what"], finding["done"]) == (0, what, "repaired")
    assert reported()[:2] == (0, [])
    after = Content.objects.get()
    assert (after.size_bytes, after.size_chars, after.size_lines) == (len(TEXT.encode()), len(TEXT), 3000)
    assert bytes(after.index or b"") == bytes(before.index or b"")
    assert artifacts.read(artifacts.version_of(artifact), "lines", offset=2999).text == TEXT.splitlines(True)[-1]


@pytest.mark.django_db
def test_what_nothing_names_is_reported_and_removed_when_it_is_a_day_old(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, content = kept()
    gone.delete()
    left = storage.prepare("left " + TEXT)
    drafts().mkdir(parents=True, exist_ok=True)
    (drafts() / f"1.{'0' * 16}").write_bytes(b"half")
    assert reported(repair=True) == (0, [], reported()[2])
    assert reported()[2]["young"] == 3
    aged(monkeypatch)
    wanted = {
        "row without a version": content.sha256,
        "bytes without a row": left.stored_as,
        "abandoned draft": f"1.{'0' * 16}",
    }
    assert {each["what"]: each["name"] for each in reported()[1]} == wanted
    code, found, _ = reported(repair=True)
    assert code == 0
    assert {each["done"] for each in found} == {"removed"}
    assert reported()[:2] == (0, [])
    assert shelf.names() == []


@pytest.mark.django_db
def test_people_get_lines_and_the_totals_last(folder_shelf: Shelf) -> None:
    artifact, content = kept()
    folder_shelf.remove(content.stored_as)
    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("artifacts", "verify", stdout=out)
    size = f"{len(TEXT.encode()):,} bytes"
    assert out.getvalue().splitlines() == [
        f"missing: {content.sha256}, {size}, hurts {artifact.public_id} v1",
        f"1 contents, {size}: 1 missing.",
    ]


@pytest.mark.django_db
def test_a_content_that_is_delivered_again_while_it_is_looked_at_is_not_reported(
    folder_shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, content = kept()
    folder_shelf.remove(content.stored_as)
    look = verify._current

    def delivered_in_the_meantime(content: Content) -> Content | None:
        make_artifact(make_task(make_project()), TEXT)
        return look(content)

    monkeypatch.setattr(verify, "_current", delivered_in_the_meantime)
    assert reported()[:2] == (0, [])


@pytest.mark.django_db
def test_memory_stays_small_however_large_the_artifact(folder_shelf: Shelf) -> None:
    import tracemalloc

    with storage.Writer() as writer:
        for number in range(40):
            writer.write(f"{number:07} words\n".encode() * 80_000)
        content = storage.insert(writer.finish())
    tracemalloc.start()
    try:
        code, found, totals = reported()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (code, found, totals["size_bytes"]) == (0, [], content.size_bytes)
    assert content.size_bytes > 40_000_000
    assert peak < 8_000_000


def storer(home: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.artifacts.storer", *arguments]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment(home, trial=False), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def manage(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment(home, trial=False), capture_output=True, text=True)


def finished(process: subprocess.Popen[str]) -> int:
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return int(out)


def test_while_others_deliver_and_remove_nothing_false_is_reported(fresh_home: Path) -> None:
    assert manage(fresh_home, "artifacts", "verify").returncode == 0
    with storer(fresh_home, "deliver", "8") as first, storer(fresh_home, "deliver", "8") as second:
        while first.poll() is None:
            for repair in ([], ["--repair"]):
                done = manage(fresh_home, "artifacts", "verify", "--json", *repair)
                assert (done.returncode, len(done.stdout.splitlines())) == (0, 1), done
        assert finished(first) > 2
        assert finished(second) > 2
    done = manage(fresh_home, "artifacts", "verify", "--json")
    assert json.loads(done.stdout)["contents"] > 10


def test_a_sweep_never_takes_what_is_being_delivered_again(fresh_home: Path) -> None:
    """Whatever is left of a work counts as two days old, so the sweep goes for it while it is stored again."""
    assert manage(fresh_home, "artifacts", "verify").returncode == 0
    with storer(fresh_home, "sweep", "6") as sweeping, storer(fresh_home, "churn", "6") as churning:
        assert finished(churning) > 3
        assert finished(sweeping) > 3
    done = manage(fresh_home, "artifacts", "verify", "--json")
    assert (done.returncode, json.loads(done.stdout.splitlines()[-1])["harms"]) == (0, 0)


@pytest.mark.django_db
def test_a_file_that_the_system_does_not_read_is_reported_and_the_others_are_read(folder_shelf: Shelf) -> None:
    _, unread = kept(TEXT)
    _, missing = kept(TEXT[::-1])
    path = storage.path_of(unread.sha256)
    path.unlink()
    path.mkdir()
    folder_shelf.remove(missing.stored_as)
    for repair in (False, True):
        code, findings, totals = reported(repair=repair)
        assert [(each["what"], each["done"]) for each in findings] == [("not readable", ""), ("missing", "")]
        assert (code, totals["contents"], totals["harms"]) == (1, 2, 2)
    assert path.is_dir()


@pytest.mark.django_db
@pytest.mark.parametrize("other", ["a pipe", "a link"])
def test_a_file_of_a_mirror_that_is_swapped_while_it_is_looked_at_is_not_opened(
    folder_shelf: Shelf, folder: Path, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    from artifacts.services import repair as module

    artifact, content = kept()
    folder_shelf.remove(content.stored_as)
    path = mirrored(artifact, folder, TEXT.encode())
    candidates = module._candidates

    def swapped(content: Content) -> Any:
        for found in candidates(content):
            found.unlink()
            os.mkfifo(found) if other == "a pipe" else found.symlink_to("/dev/zero")
            yield found

    monkeypatch.setattr(module, "_candidates", swapped)
    assert reported(repair=True)[1][0]["done"] == ""
    assert path.is_fifo() or path.is_symlink()


@pytest.mark.django_db
@pytest.mark.parametrize("link", [".task_orchestrator", ".task_orchestrator/artifacts"])
def test_a_link_in_the_place_of_a_mirror_is_not_walked(
    folder_shelf: Shelf, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, link: str
) -> None:
    artifact, content = kept()
    folder_shelf.remove(content.stored_as)
    mirrored(artifact, folder, TEXT.encode())
    (folder / link).rename(tmp_path / "elsewhere")
    (folder / link).symlink_to(tmp_path / "elsewhere")
    walked: list[Any] = []
    monkeypatch.setattr("artifacts.services.repair.os.walk", lambda path: walked.append(path) or [])
    assert reported(repair=True)[1][0]["done"] == ""
    assert walked == []


@pytest.mark.django_db
def test_what_the_system_does_not_read_is_refused_and_stored_again(folder_shelf: Shelf) -> None:
    artifact, content = kept()
    path = storage.path_of(content.sha256)
    path.unlink()
    path.mkdir()
    with pytest.raises(Unreadable):
        storage.text_of(content)
    make_artifact(make_task(make_project()), TEXT)
    assert storage.text_of(artifact.versions.get().content) == TEXT
