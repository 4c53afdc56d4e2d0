"""The synthesis of a plan, `/tasks/<public_id>/synthesis/`, and as a file."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from artifacts.reports import markdown, synthesis
from tasks.choices import Status
from tasks.models import Project, Task
from tasks.views import plan as plan_views
from tests.factories import (
    html_of,
    make_artifact,
    make_dependency,
    make_plan,
    make_project,
    make_task,
    signed_in,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(client: Client) -> Project:
    signed_in(client)
    return make_project("ledger", name="The ledger")


def _page(client: Client, task: Task, query: str = "") -> str:
    return html_of(client.get(f"/tasks/{task.public_id}/synthesis/?{query}"))


def _done(project: Project, plan: Task, title: str, **fields: str) -> Task:
    return make_task(project, parent=plan, title=title, status=Status.COMPLETED, **fields)


@pytest.mark.parametrize("address", ["synthesis/", "synthesis.md"])
def test_a_stranger_is_sent_to_sign_in(client: Client, address: str) -> None:
    assert client.get(f"/tasks/{make_plan(make_project()).public_id}/{address}").status_code == 302


@pytest.mark.parametrize("address", ["synthesis/", "synthesis.md"])
def test_an_unknown_task_has_no_synthesis(client: Client, project: Project, address: str) -> None:
    assert client.get(f"/tasks/task_00000000/{address}").status_code == 404


def test_parts_stand_in_the_order_in_which_they_build_on_each_other(client: Client, project: Project) -> None:
    plan = make_plan(project, 0, title="The plan")
    last = _done(project, plan, "Last", summary="It holds.")
    first = _done(project, plan, "First", summary="It stands.")
    make_dependency(last, first)
    page = _page(client, plan)
    assert re.findall(r"<h3>.*?<a[^>]*><bdi>(\w+)</bdi>", page) == ["First", "Last"]
    assert 'data-done="2" data-total="2"' in page and "It stands." in page and 'id="missing"' not in page


def test_what_is_missing_is_named_with_the_reason(client: Client, project: Project) -> None:
    plan = make_plan(project, 0)
    _done(project, plan, "There")
    make_task(project, parent=plan, title="Stopped", status=Status.BLOCKED, reason="No password")
    make_task(project, parent=plan, title="Sent back", status=Status.NEEDS_REVISION, review_comment="Say why")
    make_task(project, parent=plan, title="Dropped", status=Status.CANCELLED)
    missing = _page(client, plan).partition('id="missing"')[2].partition("</section>")[0]
    assert missing.startswith(' data-total="2"') and "No password" in missing and "Say why" in missing
    assert "There" not in missing and "Dropped" not in missing


def test_only_what_was_delivered_is_a_part(client: Client, project: Project) -> None:
    plan = make_plan(project, 8, statuses=list(Status))
    page = _page(client, plan)
    shown = re.findall(r'id="part-([^"]+)"', page)
    delivered = [Status.IN_REVIEW, Status.NEEDS_REVISION, Status.COMPLETED]
    assert shown == [task.public_id for task in plan.children.order_by("position") if task.status in delivered]
    assert page.count('id="missing"') == 1


def test_a_part_links_to_what_it_delivered(client: Client, project: Project) -> None:
    plan = make_plan(project, 0)
    part = _done(project, plan, "Part", summary="Done")
    artifact = make_artifact(part, "text", paths=["src/app.py", "docs/app.md"])
    page = _page(client, plan)
    assert (
        f'<a class="link" href="/artifacts/{artifact.public_id}/"><bdi>src/app.py</bdi>' in page
        and "docs/app.md" not in page
    )
    assert f'href="/tasks/{plan.public_id}/synthesis.md"' in page and "artifacts.zip" in page


def test_a_plan_without_parts_says_what_to_do(client: Client, project: Project) -> None:
    assert 'class="empty">' in _page(client, make_plan(project, 0))


def test_parts_go_by_pages(client: Client, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthesis, "PARTS_PER_PAGE", 2)
    plan = make_plan(project, 5, statuses=[Status.COMPLETED])
    assert _page(client, plan).count('class="box part"') == 2
    assert _page(client, plan, "page=3").count('class="box part"') == 1
    assert 'class="empty"' in _page(client, plan, "page=9")


def test_all_parts_come_on_one_page_to_be_printed(
    client: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(synthesis, "PARTS_PER_PAGE", 2)
    plan = make_plan(project, 5, statuses=[Status.COMPLETED])
    assert 'id="print" href="?parts=all">' in _page(client, plan)
    page = _page(client, plan, "parts=all")
    assert page.count('class="box part"') == 5
    assert 'id="print"' not in page


def test_a_long_page_shows_its_range_of_parts(
    client: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(synthesis, "PARTS_PER_PAGE", 2)
    monkeypatch.setattr(synthesis, "PARTS_TO_PRINT", 4)
    monkeypatch.setattr(plan_views, "PARTS_TO_PRINT", 4)
    plan = make_plan(project, 5, statuses=[Status.COMPLETED])
    assert re.search(r'id="print" href="\?parts=all">[^<]*\b4\b', _page(client, plan))
    page = _page(client, plan, "parts=all")
    assert page.count('class="box part"') == 4
    assert 'data-first="1" data-last="4" data-total="5"' in page and 'href="?parts=all&amp;page=2"' in page


def test_texts_of_assistants_show_as_text_and_are_cut(client: Client, project: Project) -> None:
    evil = '<script>alert(1)</script>"><img src=x onerror=alert(2)> [x](javascript:alert(3)) \u202e'
    plan = make_plan(project, 0, title=evil)
    part = _done(project, plan, evil, summary=evil + "y" * 100_000, public_id="evil_1", specialist="<i>x</i>")
    make_artifact(part, paths=[evil])
    page = _page(client, plan)
    assert "<script>alert" not in page and "<img src=x" not in page and "<i>x" not in page
    assert "&lt;script&gt;alert(1)" in page and len(page) < 60_000


def test_the_file_holds_every_word_of_every_part(client: Client, project: Project) -> None:
    plan = make_plan(project, 0, title="The plan")
    for number in range(3):
        _done(project, plan, f"Part {number}", summary=f"{number}" * 90_000)
    answer = client.get(f"/tasks/{plan.public_id}/synthesis.md")
    text = answer.content.decode()
    assert answer["Content-Type"] == "text/markdown; charset=utf-8"
    assert answer["Content-Disposition"] == f'attachment; filename="{plan.public_id}.md"'
    assert text.startswith("# The plan\n\n3 of 3 parts are completed")
    assert all(f"{number}" * 90_000 in text for number in range(3))


def test_a_title_of_several_lines_is_one_heading_of_the_file(client: Client, project: Project) -> None:
    plan = make_plan(project, 0, title="The plan\n## of two lines")
    make_task(project, parent=plan, title="A part\r\n\n## ✓ and another", status=Status.PENDING)
    text = client.get(f"/tasks/{plan.public_id}/synthesis.md").content.decode()
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "# The plan ## of two lines",
        "## … A part ## ✓ and another",
    ]


def test_a_file_that_cannot_hold_everything_says_so(
    client: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(markdown, "FILE_CHARS", 1_000)
    plan = make_plan(project, 0)
    for number in range(3):
        _done(project, plan, f"Part {number}", summary="x" * 500)
    assert (
        "2 more parts did not fit into this file."
        in client.get(f"/tasks/{plan.public_id}/synthesis.md").content.decode()
    )


@pytest.mark.parametrize("size", [3, 30])
def test_a_synthesis_takes_as_many_queries_whatever_its_size(
    client: Client, project: Project, django_assert_num_queries: DjangoAssertNumQueries, size: int
) -> None:
    plan = make_plan(project, size, statuses=[Status.COMPLETED, Status.PENDING])
    for task in plan.children.all():
        make_artifact(task, paths=["a.md"])
    # session, user, reviews, task; then the order (2), the parts, what they delivered, counts, what is missing
    with django_assert_num_queries(11):
        client.get(f"/tasks/{plan.public_id}/synthesis/")
