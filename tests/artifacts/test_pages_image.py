"""Images of an artifact, `/artifacts/<public_id>/image/`: pixels are shown, everything else is only ever saved."""

from __future__ import annotations

import base64

import pytest
from django.test import Client

from artifacts.models import Artifact, ArtifactVersion, Content
from artifacts.rendering import images
from tasks.models import Task
from tests.factories import html_of, make_artifact, make_project, make_task, signed_in

pytestmark = pytest.mark.django_db
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
IMAGES = {
    "image/png": PNG,
    "image/jpeg": b"\xff\xd8\xff\xe0rest",
    "image/gif": b"GIF89arest\xff",
    "image/webp": b"RIFF\xff\x00\x00\x00WEBPVP8 ",
}
NO_IMAGES = {
    "a PDF": b"%PDF-1.7 \xff",
    "a document with scripts": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'>\xff</svg>",
    "a page that claims": b"\xff<html>GIF89a",
    "a sound": b"RIFF\xff\x00\x00\x00WAVE",
    "an icon": b"\x00\x00\x01\x00\xff",
    "a program": b"\x7fELF\xff",
}


@pytest.fixture
def task(client: Client) -> Task:
    signed_in(client)
    return make_task(make_project("ledger"))


def make_binary(task: Task, *works: bytes, media_type: str = "image/png", path: str = "a.png") -> Artifact:
    """Make an artifact of bytes that are no text."""
    from hashlib import sha256

    artifact = make_artifact(task, *("x" for _ in works), paths=[path])
    for number, raw in enumerate(works, start=1):
        facts = {"sha256": sha256(raw).hexdigest(), "size_bytes": len(raw), "size_chars": None, "data": raw}
        content, _ = Content.objects.get_or_create(sha256=facts.pop("sha256"), defaults=facts)
        ArtifactVersion.objects.filter(artifact=artifact, number=number).update(content=content, media_type=media_type)
    return artifact


@pytest.mark.parametrize("media_type", IMAGES)
def test_an_image_is_shown_as_what_its_bytes_say(client: Client, task: Task, media_type: str) -> None:
    artifact = make_binary(task, IMAGES[media_type], media_type="text/html")
    answer = client.get(f"/artifacts/{artifact.public_id}/image/?version=1")
    assert b"".join(answer.streaming_content) == IMAGES[media_type]
    assert (answer["Content-Type"], answer["Content-Disposition"]) == (media_type, "inline")
    assert answer["X-Content-Type-Options"] == "nosniff" and answer["Content-Security-Policy"] == "sandbox"
    page = html_of(client.get(f"/artifacts/{artifact.public_id}/"))
    assert f'<img src="/artifacts/{artifact.public_id}/image/?version=1"' in page


@pytest.mark.parametrize("name", NO_IMAGES)
def test_what_is_no_image_is_only_saved(client: Client, task: Task, name: str) -> None:
    artifact = make_binary(task, NO_IMAGES[name])
    assert client.get(f"/artifacts/{artifact.public_id}/image/").status_code == 404
    page = html_of(client.get(f"/artifacts/{artifact.public_id}/"))
    assert "/image/" not in page and "data-binary" in page and f"/artifacts/{artifact.public_id}/raw/" in page
    raw = client.get(f"/artifacts/{artifact.public_id}/raw/")
    assert raw["Content-Disposition"].startswith("attachment")


def test_an_image_that_is_known_is_not_sent_again(client: Client, task: Task) -> None:
    address = f"/artifacts/{make_binary(task, PNG).public_id}/image/"
    etag = client.get(address)["ETag"]
    assert client.get(address, headers={"If-None-Match": etag}).status_code == 304


def test_an_image_that_is_too_large_is_only_saved(client: Client, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "LARGEST_BYTES", len(PNG) - 1)
    assert client.get(f"/artifacts/{make_binary(task, PNG).public_id}/image/").status_code == 404


def test_damaged_pixels_are_not_shown(client: Client, task: Task) -> None:
    artifact = make_binary(task, PNG)
    Content.objects.filter(data=PNG).update(data=PNG + b"more")
    assert client.get(f"/artifacts/{artifact.public_id}/image/").status_code == 500


def test_bytes_cannot_be_compared_and_it_says_so(client: Client, task: Task) -> None:
    artifact = make_binary(task, PNG, b"\xff\xfe")
    page = html_of(client.get(f"/artifacts/{artifact.public_id}/diff/"))
    assert "data-binary" in page and 'class="diff"' not in page


def test_a_summary_that_is_only_the_path_is_not_repeated(client: Client, task: Task) -> None:
    artifact = make_binary(task, PNG)
    for summary, shown in (("a.png", False), ("A seal", True)):
        ArtifactVersion.objects.filter(artifact=artifact).update(summary=summary)
        assert ('id="summary"' in html_of(client.get(f"/artifacts/{artifact.public_id}/"))) == shown
