"""The bytes of an artifact to download, `/artifacts/<public_id>/raw/`."""

from __future__ import annotations

import hashlib

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client

import orchestrator_site.application
from artifacts.models import Artifact, ArtifactVersion, Content
from artifacts.storage import Damaged, path_of
from tasks.models import Task
from tests.factories import make_artifact, make_project, make_task, make_user, signed_in

assert orchestrator_site.application  # what it does to the requests that it serves must do nothing to any others
LARGE = "".join(f"{number:07} ü\n" for number in range(40_000))


@pytest.fixture
def task(client: Client, db: None) -> Task:
    signed_in(client)
    return make_task(make_project("ledger"))


def _raw(client: Client, artifact: Artifact, query: str = "", **headers: str):
    return client.get(f"/artifacts/{artifact.public_id}/raw/?{query}", headers=headers)


def _bytes(answer) -> bytes:
    return b"".join(answer.streaming_content)


def test_a_stranger_is_sent_to_sign_in(client: Client, db: None) -> None:
    assert _raw(client, make_artifact(make_task(make_project()))).status_code == 302


@pytest.mark.parametrize("text", ["", "short", LARGE], ids=["empty", "in the row", "in a file"])
def test_every_byte_arrives(client: Client, task: Task, text: str) -> None:
    answer = _raw(client, make_artifact(task, text))
    assert answer["Content-Length"] == str(len(text.encode()))
    assert _bytes(answer) == text.encode()


def test_it_is_saved_and_never_run_or_shown(client: Client, task: Task) -> None:
    answer = _raw(client, make_artifact(task, "<script>alert(1)</script>", paths=["src/page.html"]))
    assert answer["Content-Disposition"] == 'attachment; filename="page.html"'
    assert answer["Content-Security-Policy"] == "sandbox"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Type"] == "text/markdown; charset=utf-8"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("docs/\u202efdp.exe", "fdp.exe"),
        ('a/"quoted".md', '\\"quoted\\".md'),
        ("a/line\r\nX-Evil: 1", "lineX-Evil: 1"),
    ],
)
def test_the_file_is_named_without_tricks(client: Client, task: Task, path: str, name: str) -> None:
    answer = _raw(client, make_artifact(task, paths=[path]))
    assert answer["Content-Disposition"] == f'attachment; filename="{name}"'


def test_a_name_beyond_ascii_is_kept(client: Client, task: Task) -> None:
    answer = _raw(client, make_artifact(task, paths=["docs/größe.md"]))
    assert answer["Content-Disposition"] == "attachment; filename*=utf-8''gr%C3%B6%C3%9Fe.md"


def test_without_a_path_it_is_named_after_itself(client: Client, task: Task) -> None:
    artifact = make_artifact(task, "one", "two")
    answer = _raw(client, artifact, "version=1")
    assert f"{artifact.public_id}-v1.md" in answer["Content-Disposition"]
    assert _bytes(answer) == b"one"


@pytest.mark.parametrize("media_type", ["text/html\r\nX-Evil: 1", "nonsense", ""])
def test_a_media_type_that_is_none_is_plain_bytes(client: Client, task: Task, media_type: str) -> None:
    artifact = make_artifact(task)
    ArtifactVersion.objects.update(media_type=media_type)
    assert _raw(client, artifact)["Content-Type"] == "application/octet-stream"


def test_what_a_browser_has_already_is_not_sent_again(client: Client, task: Task) -> None:
    artifact = make_artifact(task, "words")
    etag = _raw(client, artifact)["ETag"]
    assert etag == f'"{hashlib.sha256(b"words").hexdigest()}"'
    again = _raw(client, artifact, **{"If-None-Match": etag})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag)
    assert _raw(client, artifact, **{"If-None-Match": '"other"'}).status_code == 200


def test_missing_bytes_are_an_error_and_no_empty_file(client: Client, task: Task) -> None:
    artifact = make_artifact(task, LARGE)
    path_of(Content.objects.get().sha256).unlink()
    answer = _raw(client, artifact)
    assert answer.status_code == 500 and "Content-Disposition" not in answer


def test_damaged_bytes_never_arrive_whole(client: Client, task: Task) -> None:
    artifact = make_artifact(task, "good words")
    Content.objects.update(data=b"evil words")
    assert _raw(client, artifact).status_code == 500
    text = "".join(f"{number}\n" for number in range(100_000))
    large = make_artifact(task, text)
    path = path_of(hashlib.sha256(text.encode()).hexdigest())
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    received = []
    with pytest.raises(Damaged):
        received.extend(_raw(client, large).streaming_content)
    assert 0 < len(b"".join(received)) < len(text.encode())
    path.unlink()
    assert _raw(client, large).status_code == 500


@pytest.mark.django_db(transaction=True)
def test_under_asgi_the_bytes_are_streamed_too() -> None:
    artifact, user = make_artifact(make_task(make_project()), LARGE), make_user()

    async def download() -> bytes:
        client = AsyncClient()
        await client.aforce_login(user)
        answer = await client.get(f"/artifacts/{artifact.public_id}/raw/")
        return b"".join([chunk async for chunk in answer.streaming_content])

    assert async_to_sync(download)() == LARGE.encode()
