"""Zips of delivered work: made while they are sent, whole or marked, the same through pages and REST."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from artifacts import storage
from artifacts.export import zip_stream
from artifacts.export.contents import versions_in
from artifacts.export.filenames import place_files
from artifacts.models import Artifact, ArtifactPath, ArtifactVersion, Content
from artifacts.storage import Damaged
from tasks.models import Project, Task
from tests.factories import make_artifact, make_plan, make_project, make_task, signed_in
from tests.rest import rest

pytestmark = pytest.mark.django_db
LARGE = "".join(f"{number} line of a large work\n" for number in range(60_000))


@pytest.fixture
def project() -> Project:
    return make_project("shop")


@pytest.fixture
def task(project: Project) -> Task:
    return make_task(project)


def archive(answer: Any) -> zipfile.ZipFile:
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"] == "application/zip" and answer["X-Content-Type-Options"] == "nosniff"
    found = zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))
    assert found.testzip() is None
    return found


def texts(answer: Any) -> dict[str, str]:
    found = archive(answer)
    return {name: found.read(name).decode() for name in found.namelist()}


def of_task(task: Task, query: str = "") -> Any:
    return rest(scopes=("read",)).send("GET", f"/tasks/{task.public_id}/artifacts.zip{query}")


def test_a_task_is_downloaded_with_everything_below_it_and_a_plan_too(project: Project) -> None:
    plan = make_plan(project, 2)
    first, second = plan.descendants.all()
    below = make_task(project, parent=second)
    for number, task in enumerate([first, below, make_task(project)]):
        make_artifact(task, str(number), paths=[f"src/{number}.txt"])
    assert texts(of_task(plan)) == {"src/0.txt": "0", "src/1.txt": "1"}
    assert texts(of_task(second)) == {"src/1.txt": "1"}
    assert texts(of_task(first)) == {"src/0.txt": "0"}


def test_files_hold_the_exact_bytes_the_time_of_delivery_and_names_of_every_plane(task: Task) -> None:
    artifact = make_artifact(task, "x", LARGE, paths=["docs/größe 🎉.md", "b.png"])
    artifact.versions.update(created_at=datetime(2031, 5, 4, 9, 30, 6, tzinfo=UTC))
    answer = of_task(task)
    assert answer["Content-Disposition"] == f'attachment; filename="{task.public_id}.zip"'
    found = archive(answer)
    assert sorted(found.namelist()) == ["b.png", "docs/größe 🎉.md"]
    for info in found.infolist():
        assert found.read(info).decode() == LARGE
        assert info.date_time == (2031, 5, 4, 9, 30, 6) and info.external_attr >> 16 == 0o100644
    assert found.getinfo("b.png").compress_type == zipfile.ZIP_STORED
    assert found.getinfo("docs/größe 🎉.md").compress_size < len(LARGE) / 3


def test_all_versions_are_there_when_asked_for(task: Task) -> None:
    make_artifact(task, "one", "two", paths=["a.py"])
    assert texts(of_task(task)) == {"a.py": "two"}
    assert texts(of_task(task, "?versions=all")) == {"a.py": "two", "a~v1.py": "one"}
    assert of_task(task, "?versions=some").status_code == 400


def test_two_that_claim_a_place_are_both_there_under_names_that_every_system_holds(project: Project) -> None:
    plan = make_plan(project, 2)
    first, second = (make_artifact(task, str(task.pk), paths=["A.py"]) for task in plan.descendants.all())
    third = make_artifact(plan, "device", paths=["con"])
    names = {"A.py", f"A~{first.public_id}.py", f"_con~{third.public_id}"}
    found = texts(of_task(plan))
    assert set(found) == names and found["A.py"] == str(second.task_id)


def test_a_folder_is_downloaded_with_what_is_below_it_and_nothing_beside(project: Project, task: Task) -> None:
    for path in ("src/a", "src/b/c", "srcs/d", "src.txt", "SRC/e"):
        make_artifact(task, path, paths=[path])
    make_artifact(make_task(make_project("other")), "other", paths=["src/other"])
    pathless = make_artifact(task, "none")
    ada = rest(scopes=("read",))

    def names(query: str) -> set[str]:
        return set(texts(ada.send("GET", f"/projects/shop/files.zip{query}")))

    assert names("?path=src/") == {"src/a", "src/b/c"}
    assert names("?path=/src/b") == {"src/b/c"}
    assert names("?pathless=true") == {f"{task.public_id}/{pathless.public_id}.md"}
    assert len(names("")) == 6
    make_artifact(task, "x", paths=["e\u202ecod/f"])
    answer = ada.send("GET", "/projects/shop/files.zip?path=e\u202ecod/")
    assert answer["Content-Disposition"] == 'attachment; filename="shop-ecod.zip"'
    ada.refused(404, "GET", "/projects/shop/files.zip?path=none/")
    ada.refused(400, "GET", "/projects/shop/files.zip?path=none/&pathless=true")


def test_where_nothing_was_delivered_there_is_no_zip(task: Task, client: Client) -> None:
    rest().refused(404, "GET", f"/tasks/{task.public_id}/artifacts.zip")
    rest().refused(404, "GET", "/tasks/task_nope/artifacts.zip")
    rest().refused(404, "GET", "/projects/nope/files.zip")
    page = signed_in(client).get(f"/tasks/{task.public_id}/artifacts.zip")
    assert (page.status_code, page["Content-Type"]) == (404, "text/html; charset=utf-8")


def test_pages_lead_to_the_same_zips(project: Project, client: Client) -> None:
    plan = make_plan(project, 1)
    make_artifact(plan.descendants.get(), "x", paths=["src/a"])
    signed_in(client)
    assert f"/tasks/{plan.public_id}/artifacts.zip" in client.get(f"/tasks/{plan.public_id}/").content.decode()
    assert "/projects/shop/files.zip?path=src%2F" in client.get("/projects/shop/files/src/").content.decode()
    assert texts(client.get(f"/tasks/{plan.public_id}/artifacts.zip")) == {"src/a": "x"}
    assert texts(client.get("/projects/shop/files.zip?path=src%2F")) == {"src/a": "x"}


def test_no_one_gets_a_zip_of_what_they_may_not_see(project: Project, task: Task, client: Client) -> None:
    make_artifact(task, "x", paths=["a"])
    bound = rest(scopes=("read",), project=make_project("other"))
    bound.refused(404, "GET", f"/tasks/{task.public_id}/artifacts.zip")
    bound.refused(404, "GET", "/projects/shop/files.zip")
    for address in (f"/tasks/{task.public_id}/artifacts.zip", "/projects/shop/files.zip"):
        assert client.get(f"/api/v1{address}").status_code == 401
        assert client.get(address).status_code == 302


def test_a_head_shows_the_type_and_sends_nothing(task: Task) -> None:
    make_artifact(task, "x", paths=["a"])
    answer = rest().send("HEAD", f"/tasks/{task.public_id}/artifacts.zip")
    assert (answer.status_code, answer["Content-Type"], answer.content) == (200, "application/zip", b"")


def test_a_damaged_artifact_is_replaced_by_a_file_that_says_so(task: Task) -> None:
    for name in ("a.txt", "z.txt"):
        make_artifact(task, name, paths=[name])
    spoilt = make_artifact(task, "spoilt", paths=["m/spoilt.txt"])
    large = make_artifact(task, LARGE, paths=["large.txt"])
    Content.objects.filter(versions__artifact=spoilt).update(data=b"something else")
    unread = make_artifact(task, LARGE[::-1], paths=["unread.txt"])
    for path in (storage.path_of(each.versions.get().content.sha256) for each in (large, unread)):
        path.unlink()
    path.mkdir()
    assert texts(of_task(task)) == {
        "a.txt": "a.txt",
        "large.txt.DAMAGED.txt": zip_stream.DAMAGED,
        "m/spoilt.txt.DAMAGED.txt": zip_stream.DAMAGED,
        "unread.txt.DAMAGED.txt": zip_stream.DAMAGED,
        "z.txt": "z.txt",
    }


def test_an_artifact_that_goes_bad_while_it_is_sent_makes_a_zip_that_no_program_takes(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_artifact(task, LARGE, paths=["large.txt"])
    path = storage.path_of(Content.objects.get().sha256)
    proven = []

    def chunks_of(work: Any) -> Any:
        proven.append(work)
        if len(proven) == 2:
            path.write_bytes(path.read_bytes()[:-9] + b"x" * 9)
        yield from storage.chunks(Content.objects.get())

    monkeypatch.setattr(zip_stream, "chunks_of", chunks_of)
    sent = b""
    with pytest.raises(Damaged):
        for piece in zip_stream.zipped(place_files(versions_in(task.project))):
            sent += piece
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(sent))


def test_a_thousand_artifacts_are_zipped_with_their_bytes_read_one_by_one(task: Task, client: Client) -> None:
    make_many(task, 1_000)
    pieces = list(zip_stream.zipped(place_files(versions_in(task.project))))
    assert max(map(len, pieces)) < zip_stream.PIECE + 200_000
    found = zipfile.ZipFile(io.BytesIO(b"".join(pieces)))
    assert found.testzip() is None and len(found.namelist()) == 1_000
    assert found.read("src/7/f777.txt") == b"777"


def test_files_beyond_what_a_plain_zip_holds_are_written_as_zip64(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    make_artifact(task, LARGE, paths=["large.txt"])
    placed = place_files(versions_in(task.project))
    plain = b"".join(zip_stream.zipped(placed))
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 100_000)
    large = b"".join(zip_stream.zipped(placed))
    monkeypatch.undo()
    assert len(large) > len(plain)
    found = zipfile.ZipFile(io.BytesIO(large))
    assert found.getinfo("large.txt").extract_version >= zipfile.ZIP64_VERSION
    assert found.read("large.txt").decode() == LARGE


def make_many(task: Task, count: int) -> None:
    """Make works at their paths, a thousand at once."""
    contents = [storage.insert(storage.prepare(str(number))) for number in range(count)]
    made = [Artifact(public_id=f"artifact_{n:08x}f", project_id=task.project_id, task=task) for n in range(count)]
    Artifact.objects.bulk_create(made)
    ArtifactVersion.objects.bulk_create(
        ArtifactVersion(artifact=each, number=1, content=content, actor_name="x")
        for each, content in zip(made, contents, strict=True)
    )
    ArtifactPath.objects.bulk_create(
        ArtifactPath(artifact=each, project_id=task.project_id, path=f"src/{number % 10}/f{number}.txt")
        for number, each in enumerate(made)
    )
