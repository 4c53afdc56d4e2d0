"""The page of one artifact, `/artifacts/<public_id>/`."""

from __future__ import annotations

import hashlib
import re
from html import unescape

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from artifacts.models import Artifact, Content
from artifacts.storage import Damaged, path_of
from artifacts.views import artifacts
from tasks.models import Task
from tests.factories import html_of, make_artifact, make_plan, make_project, make_task, signed_in

pytestmark = pytest.mark.django_db
PLAIN = "view=plain"


@pytest.fixture
def task(client: Client) -> Task:
    signed_in(client)
    project = make_project("ledger")
    return make_task(project, parent=make_plan(project, 0, title="The plan"), title="Count it")


def _page(client: Client, artifact: Artifact, query: str = "") -> str:
    return html_of(client.get(f"/artifacts/{artifact.public_id}/?{query}"))


def _text(page: str) -> str:
    found = re.search(r'<pre dir="auto">\n(.*?)</pre>', page, re.DOTALL)
    return unescape(found.group(1)) if found else ""


def test_a_stranger_is_sent_to_sign_in(client: Client) -> None:
    artifact = make_artifact(make_task(make_project()))
    assert client.get(f"/artifacts/{artifact.public_id}/").status_code == 302


@pytest.mark.parametrize("public_id", ["artifact_ffffffff", "%00"])
def test_an_artifact_that_is_not_there_is_not_found(client: Client, task: Task, public_id: str) -> None:
    assert client.get(f"/artifacts/{public_id}/").status_code == 404


def test_it_shows_what_was_delivered_where_and_how_it_can_be_proven(client: Client, task: Task) -> None:
    text = "Größe: 7\n"
    page = _page(client, make_artifact(task, text, paths=["docs/a.md", "docs/b.md"], summary="All counted"), PLAIN)
    assert _text(page) == text
    assert hashlib.sha256(text.encode()).hexdigest() in page
    assert "9 characters" in page and "11 bytes" in page and "docs/a.md" in page and "docs/b.md" in page
    assert "All counted" in page and "Count it" in page and "The plan" in page and "Claude Code" in page


def test_its_heading_is_its_path_or_its_id(client: Client, task: Task) -> None:
    for artifact in (named := make_artifact(task, paths=["docs/a.md"]), unnamed := make_artifact(task)):
        heading = _page(client, artifact).partition("<h1>")[2].partition("</h1>")[0]
        assert (named.paths.get().path if artifact is named else unnamed.public_id) in heading
        assert "Count it" not in heading


def test_it_stays_in_the_frame_of_its_project(client: Client, task: Task) -> None:
    artifact = make_artifact(task, "one", "two")
    for place in ("", "diff/"):
        page = html_of(client.get(f"/artifacts/{artifact.public_id}/{place}"))
        assert 'href="/projects/ledger/files/" aria-current="true"' in page


def test_an_earlier_version_can_be_read(client: Client, task: Task) -> None:
    artifact = make_artifact(task, "first words", "second words")
    assert _text(_page(client, artifact, PLAIN)) == "second words"
    earlier = _page(client, artifact, f"version=1&{PLAIN}")
    assert _text(earlier) == "first words"
    assert f'href="/artifacts/{artifact.public_id}/"' in earlier.partition('id="newer"')[2].partition("</div>")[0]


@pytest.mark.parametrize("version", ["3", "0", "x", "", "9" * 30])
def test_a_version_that_is_not_there_is_not_found(client: Client, task: Task, version: str) -> None:
    artifact = make_artifact(task, "first", "second")
    assert client.get(f"/artifacts/{artifact.public_id}/?version={version}").status_code == 404


def test_a_long_text_is_read_part_by_part_without_losing_a_character(
    client: Client, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifacts, "SHOWN_CHARACTERS", 1000)
    text = "".join(f"{number} ü𝄞 <b>&amp;\n" for number in range(250))
    artifact = make_artifact(task, text)
    parts, offset = [], 0
    while offset < len(text):
        page = _page(client, artifact, f"version=1&{PLAIN}&offset={offset}")
        parts.append(_text(page))
        offset += 1000
        assert ('rel="next"' in page) == (offset < len(text))
        assert (f"version=1&amp;{PLAIN}&amp;offset={offset}" in page) == (offset < len(text))
    assert "".join(parts) == text
    assert 'data-left="0"' in page


def test_it_says_how_much_of_a_text_is_left(client: Client, task: Task) -> None:
    artifact = make_artifact(task, "z" * 500_000)
    page = _page(client, artifact, PLAIN)
    assert "1\u2013200,000 of 500,000" in page and 'data-left="300000"' in page
    assert len(_text(page)) == 200_000


def test_an_offset_beyond_the_end_says_so(client: Client, task: Task) -> None:
    page = _page(client, make_artifact(task, "short"), "offset=70000")
    assert re.search(r'class="empty" data-offset="[1-9]', page)


def test_an_empty_text_says_so(client: Client, task: Task) -> None:
    assert 'class="empty" data-offset="0"' in _page(client, make_artifact(task, ""))


def test_hostile_text_shows_as_text(client: Client, task: Task) -> None:
    evil = "</pre><script>alert(1)</script>"
    page = _page(client, make_artifact(task, evil, summary=evil, paths=[f"a{evil}"]))
    assert "<script>" not in page and "&lt;script&gt;" in page


def test_text_that_turns_its_own_direction_carries_a_warning(client: Client, task: Task) -> None:
    assert "data-bidi" in _page(client, make_artifact(task, "access = \u202eresu\u202c"))
    assert "data-bidi" not in _page(client, make_artifact(task, "שלום عليكم"))


def test_bytes_that_went_missing_are_said_to_be_missing(client: Client, task: Task) -> None:
    artifact = make_artifact(task, "w" * 70_000)
    path_of(Content.objects.get().sha256).unlink()
    answer = client.get(f"/artifacts/{artifact.public_id}/")
    assert answer.status_code == 500
    assert f'data-code="{Damaged.code}"' in answer.content.decode()


def test_beside_damaged_bytes_all_else_can_still_be_reached(client: Client, task: Task) -> None:
    artifact = make_artifact(task, "the first", "the second", paths=["a.md"])
    Content.objects.filter(data=b"the second").update(data=b"not it")
    answer = client.get(f"/artifacts/{artifact.public_id}/")
    page = answer.content.decode()
    assert answer.status_code == 500 and f'data-code="{Damaged.code}"' in page and "not it" not in page
    assert f"/tasks/{task.public_id}/" in page and "a.md" in page and 'href="?version=1"' in page
    assert "the first" in html_of(client.get(f"/artifacts/{artifact.public_id}/?version=1"))


@pytest.mark.parametrize("versions", [2, 20])
def test_it_takes_as_many_queries_however_many_versions_there_are(
    client: Client, task: Task, django_assert_num_queries: DjangoAssertNumQueries, versions: int
) -> None:
    artifact = make_artifact(task, *(f"text {number}" for number in range(versions)), paths=["a", "b"])
    with django_assert_num_queries(
        12
    ):  # session, user, reviews, findings, artifact, paths, version, versions, four of the tree
        client.get(f"/artifacts/{artifact.public_id}/")


def test_a_plain_text_keeps_the_line_ends_that_it_begins_with(client: Client, task: Task) -> None:
    page = _page(client, make_artifact(task, "\n\nfirst\n"), "view=plain")
    assert '<pre dir="auto">\n\n\nfirst\n</pre>' in page  # a browser drops the first one
