"""Every version on the pages: listed or asked for by its number, and any two of them compared without a script."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from artifacts.models import Artifact, ArtifactVersion
from tests.factories import html_of, make_artifact, make_project, make_task, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def artifact(client: Client) -> Artifact:
    signed_in(client)
    return make_artifact(make_task(make_project("shop")), "one\n", "two\n", "three\n", paths=["a.txt"])


@pytest.fixture
def long_lived(artifact: Artifact) -> Artifact:
    """Return an artifact with more versions than are listed."""
    first = artifact.versions.get(number=1)
    ArtifactVersion.objects.bulk_create(
        ArtifactVersion(artifact=artifact, number=number, content_id=first.content_id, actor_name="x")
        for number in range(4, 131)
    )
    Artifact.objects.filter(pk=artifact.pk).update(version=130)
    return artifact


def test_all_versions_are_linked_and_any_two_can_be_chosen(client: Client, artifact: Artifact) -> None:
    page = html_of(client.get(f"/artifacts/{artifact.public_id}/"))
    assert re.findall(r'href="\?version=(\d+)"', page) == ["2", "1"]
    assert re.findall(r'<option value="(\d)"( selected)?>', page) == [
        ("3", ""), ("2", " selected"), ("1", ""), ("3", " selected"), ("2", ""), ("1", ""),
    ]  # fmt: skip
    diff = html_of(client.get(f"/artifacts/{artifact.public_id}/diff/?from=1&to=3"))
    assert "one" in diff and "three" in diff and "two\n" not in diff


def test_versions_that_are_not_listed_are_asked_for_by_number(client: Client, long_lived: Artifact) -> None:
    page = html_of(client.get(f"/artifacts/{long_lived.public_id}/"))
    assert "the latest 50 of 130" in page and 'name="version" min="1" max="130"' in page
    assert 'name="from" min="1" max="130" value="129"' in page
    assert "two" in html_of(client.get(f"/artifacts/{long_lived.public_id}/?version=2"))
    diff = html_of(client.get(f"/artifacts/{long_lived.public_id}/diff/?from=2&to=3"))
    assert 'name="from" min="1" max="130" value="2"' in diff and "two" in diff and "three" in diff


def test_one_version_offers_nothing_to_compare(client: Client, artifact: Artifact) -> None:
    only = make_artifact(artifact.task, "x")
    assert "Compare" not in html_of(client.get(f"/artifacts/{only.public_id}/"))
