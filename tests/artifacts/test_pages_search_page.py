"""The page of search: ids first, then names, then words; filters in the address; hints where nothing is."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from artifacts.search.index import index_artifact
from artifacts.selectors.artifacts import version_of
from tasks.choices import Status
from tasks.models import Project, Specialist
from tests.factories import html_of, make_artifact, make_project, make_session, make_task, signed_in

pytestmark = pytest.mark.django_db

EVIL = "<script>alert(1)</script>\u202e"


@pytest.fixture
def project() -> Project:
    return make_project("ledger", name="The okapi ledger")


@pytest.fixture
def reader(client: Client) -> Client:
    return signed_in(client)


def found(client: Client, **query: str) -> str:
    """Return what is shown below the form."""
    page = html_of(client.get("/search/", query))
    return page.partition("<main")[2].partition("</form>")[2]


def headings(page: str) -> list[str]:
    return re.findall(r'<h2 id="(\w+)"', page[: page.find("<dialog")])


def test_name_matches_come_before_full_text_matches(reader: Client, project: Project) -> None:
    task = make_task(project, title="Feed the okapi")
    session = make_session(project, client_name="Okapi Code")
    Specialist.objects.create(project=project, name="okapi-keeper", role_definition="You keep okapis.")
    page = found(reader, q="okapi")
    assert headings(page) == ["projects", "specialists", "sessions", "words"]
    for address in (
        "/projects/ledger/",
        "/projects/ledger/specialists/okapi-keeper/",
        session.public_id,
        f"/tasks/{task.public_id}/",
    ):
        assert address in page


def test_a_packaged_specialist_is_found_and_said_to_be_everywhere(reader: Client, project: Project) -> None:
    page = found(reader, q="Debug")
    assert "/projects/ledger/specialists/debugger/" in page and 'data-scope="all"' in page


def test_without_a_project_there_are_no_specialists_to_lead_to(reader: Client) -> None:
    assert 'id="no-results"' in found(reader, q="debugger")


def test_an_exact_id_opens_what_it_names(reader: Client, project: Project) -> None:
    task = make_task(project, specialist="tester", title="Weigh it")
    artifact = make_artifact(task, paths=["a/b.md"])
    session = make_session(project)
    for public_id, leads_to in (
        (task.public_id, f"/tasks/{task.public_id}/"),
        (task.public_id.upper(), f"/tasks/{task.public_id}/"),
        (artifact.public_id, f"/artifacts/{artifact.public_id}/"),
        (session.public_id, f"/sessions/{session.public_id}/"),
    ):
        answer = reader.get("/search/", {"q": public_id})
        assert (answer.status_code, answer["Location"]) == (302, leads_to)


def test_an_id_in_quotes_is_looked_for_in_texts(reader: Client, project: Project) -> None:
    task = make_task(project)
    mention = make_task(project, title=f"About {task.public_id}")
    assert f"/tasks/{mention.public_id}/" in found(reader, q=f'"{task.public_id}"')


def test_an_id_of_another_project_is_not_found_in_this_one(reader: Client, project: Project) -> None:
    task = make_task(make_project("other"))
    assert found(reader, q=task.public_id, project="ledger")
    assert reader.get("/search/", {"q": task.public_id, "project": "other"}).status_code == 302


def test_a_task_and_its_artifact_are_told_apart(reader: Client, project: Project) -> None:
    task = make_task(project, title="Weigh the okapi")
    index_artifact(version_of(make_artifact(task, "The okapi", paths=["a.md"])), task=task, paths=["a.md"])
    page = found(reader, q="okapi", kind="artifact") + found(reader, q="okapi", kind="task")
    assert re.findall(r'<a class="name"[^>]*><bdi>([^<]+)', page) == ["a.md", "Weigh the okapi"]


def test_a_project_to_search_in_does_not_change_the_frame(reader: Client, project: Project) -> None:
    assert 'class="pbar"' not in html_of(reader.get("/search/?q=okapi&project=ledger"))


def test_the_kind_narrows_it(reader: Client, project: Project) -> None:
    make_task(project, title="Feed the okapi")
    make_session(project, client_name="Okapi Code")
    assert headings(found(reader, q="okapi", kind="session")) == ["sessions"]
    assert headings(found(reader, q="okapi", kind="task")) == ["words"]
    assert headings(found(reader, q="okapi", kind="project")) == ["projects"]
    assert len(headings(found(reader, q="okapi", kind="nonsense"))) == 3


def test_the_project_narrows_it(reader: Client, project: Project) -> None:
    other = make_project("other", name="Another okapi")
    make_session(other, client_name="Okapi Code")
    make_task(other, title="Feed the okapi")
    assert headings(found(reader, q="okapi", project="ledger")) == ["projects"]


def test_many_of_a_kind_are_counted_and_led_to(reader: Client, project: Project) -> None:
    for _ in range(7):
        make_session(project, client_name="Okapi Code")
    page = found(reader, q="okapi code")
    assert page.count('<span class="id">session_') == 5
    assert '<p class="muted number">7</p>' in page and "kind=session" in page
    assert found(reader, q="okapi code", kind="session").count('<span class="id">session_') == 7


def test_archived_work_says_so(reader: Client, project: Project) -> None:
    make_task(project, title="Feed the okapi", archived_at="2026-01-01T00:00Z", specialist="tester")
    make_task(project, title="Wash the okapi")
    assert found(reader, q="okapi", kind="task").count('class="tag loud"') == 1


def test_nothing_found_leads_on(reader: Client, project: Project) -> None:
    page = found(reader, q="unicor", project="ledger", kind="task")
    assert "unicor*" in page and 'id="search-everywhere" href="?q=unicor"' in page
    assert 'id="unknown-project"' in found(reader, q="x", project="nowhere")
    assert "<kbd>/</kbd>" in found(reader)


def test_the_field_is_ready_to_type_in_where_nothing_was_asked(reader: Client) -> None:
    assert "autofocus" in html_of(reader.get("/search/"))
    assert "autofocus" not in html_of(reader.get("/search/?q=x"))


@pytest.mark.parametrize("text", [EVIL, "%", "_", "'", '"', "\\", "a\x00b", "٣", "x" * 5000, "task_", "(((", "NOT"])
def test_no_text_breaks_it(reader: Client, project: Project, text: str) -> None:
    make_session(project, client_name=EVIL)
    make_task(project, title=EVIL)
    page = html_of(reader.get("/search/", {"q": text, "project": "", "kind": text}))
    assert "<script>alert" not in page
    html_of(reader.get("/search/", {"q": text, "project": "ledger"}))


def test_a_sign_of_patterns_is_no_pattern(reader: Client, project: Project) -> None:
    make_session(project, client_name="Okapi Code")
    assert 'id="no-results"' in found(reader, q="ok%pi")


def test_it_costs_the_same_however_much_is_found(reader: Client, project: Project) -> None:
    costs = []
    for number in range(60):
        task = make_task(project, title="Feed the okapi", status=Status.PENDING)
        make_artifact(task, paths=[f"okapi/{number}.md"])
        make_session(project, client_name="Okapi Code")
        make_project(name=f"Okapi {number}")
        Specialist.objects.create(project=project, name=f"okapi-{number}", role_definition="x")
        if number in (8, 59):
            with CaptureQueriesContext(connection) as context:
                html_of(reader.get("/search/?q=okapi"))
            costs.append(len(context))
    assert costs[0] == costs[1] <= 20
