"""Search over REST and on its page."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from tasks.models import Project
from tests.artifacts.test_api_artifacts import client_for
from tests.artifacts.test_search import deliver
from tests.assistants import Assistant
from tests.factories import html_of, make_project, make_task, signed_in

NASTY = "<script>alert('needle')</script> \"needle\" & <b onclick=x>needle</b>"


@pytest.fixture
def project(ada: Assistant) -> Project:
    return ada.caller.session().project


def asked(client: Client, **query: Any) -> dict[str, Any]:
    answer = client.get("/api/v1/search", query)
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def problem(client: Client, **query: Any) -> tuple[int, str]:
    answer = client.get("/api/v1/search", query)
    return answer.status_code, answer.json()["code"]


def test_a_hit_says_what_it_is_and_where(ada: Assistant, project: Project) -> None:
    artifact = deliver(ada, "x " * 5000 + "needle")
    found = asked(client_for("eve"), q="needle")
    assert (found["total"], found["total_is_least"], found["every"], found["next"]) == (1, False, True, None)
    (row,) = found["results"]
    assert (row["kind"], row["project"], row["artifact_id"]) == ("general", project.slug, artifact)
    assert row["offset"] > 9_000
    assert row["snippet"].endswith("needle")


def test_filters_narrow_it_and_pages_go_on(ada: Assistant, project: Project) -> None:
    ids = ada.plan(*[f"Okapi {number}" for number in range(5)])
    make_task(make_project("other"), title="Okapi elsewhere")
    client = client_for("eve")
    assert asked(client, q="okapi")["total"] == 6
    assert asked(client, q="okapi", project=project.slug)["total"] == 5
    assert asked(client, q="okapi", task=ids["plan"])["total"] == 5
    assert asked(client, q="okapi", kind="code,design")["total"] == 0
    page, seen = asked(client, q="okapi", kind="task", limit=2), []
    while page["results"]:
        seen += [row["task_id"] for row in page["results"]]
        page = client.get(page["next"]).json() if page["next"] else {"results": []}
    assert len(seen) == len(set(seen)) == 6


def test_one_artifact_is_looked_through(ada: Assistant) -> None:
    artifact = deliver(ada, "needle" + "." * 5000 + "needle")
    found = asked(client_for("eve"), q="needle", in_artifact=artifact)
    assert (found["total"], found["results"][0]["offset"]) == (2, 0)


def test_a_token_of_a_project_finds_nothing_of_others(ada: Assistant, project: Project) -> None:
    artifact = deliver(ada, "needle", title="Okapi")
    other = make_project("other")
    bound = client_for("eve", project=other)
    assert asked(bound, q="needle")["total"] == asked(bound, q="okapi unicorn")["total"] == 0
    assert problem(bound, q="needle", project=project.slug) == (404, "not_found")
    assert problem(bound, q="needle", in_artifact=artifact) == (404, "not_found")
    assert problem(bound, q="needle", task=ada.plan("B")["B"]) == (404, "not_found")


@pytest.mark.parametrize(
    "query",
    [{}, {"q": " "}, {"q": "x", "limit": "51"}, {"q": "x", "kind": "nonsense"}, {"q": "x", "cursor": "y"},
     {"q": "x" * 10_001}, {"q": "a\x00"}, {"q": "x", "nonsense": "1"}, {"q": "x", "in_artifact": "a", "kind": "code"}],
)  # fmt: skip
def test_what_cannot_be_is_refused(ada: Assistant, query: dict[str, str]) -> None:
    assert problem(client_for("eve"), **query) == (400, "invalid")


def test_without_credentials_nothing_is_reported(client: Client, db: None) -> None:
    assert client.get("/api/v1/search?q=x").status_code == 401
    assert client.get("/search/?q=x").status_code == 302


def test_artifacts_of_one_task_are_distinguished_by_their_paths(ada: Assistant, client: Client) -> None:
    task = ada.plan("A")["A"]
    for path in ("src/a.py", "<b>/b.py"):
        ada.call("store_artifact", action="begin", task_id=task, file_paths=[path], text="needle\n")
    uploads = [row["upload_id"] for row in ada.call("store_artifact", action="status")["uploads"]]
    ada.call("complete_subtask", task_id=task, summary="Done", next_action="complete", upload_ids=uploads)
    paths = {"src/a.py", "<b>/b.py"}
    assert {hit["path"] for hit in ada.call("search", query="needle")["hits"]} == paths
    assert {row["path"] for row in asked(client_for("eve"), q="needle")["results"]} == paths
    page = html_of(signed_in(client).get("/search/?q=needle"))
    assert "src/a.py" in page and "&lt;b&gt;/b.py" in page and "<b>" not in page


def test_the_page_marks_hits_and_escapes_everything_else(ada: Assistant, client: Client) -> None:
    artifact = deliver(ada, f"{'a ' * 500}{NASTY}", title="<i>Title</i>")
    page = html_of(signed_in(client).get("/search/", {"q": f"needle {NASTY}"}))
    assert "<mark>needle</mark>" in page
    assert re.search(rf'href="/artifacts/{artifact}/\?offset=\d+"', page)
    assert "<script>" not in page and "<b onclick" not in page and "<i>" not in page


def test_a_hit_on_the_page_leads_to_its_place(ada: Assistant, client: Client) -> None:
    deliver(ada, "x " * 5000 + "the needle")
    page = html_of(signed_in(client).get("/search/?q=needle"))
    (address,) = re.findall(r'href="(/artifacts/[^"]+\?offset=\d+)"', page)
    assert "the needle" in html_of(client.get(address))


def test_the_page_has_pages_and_forgives_an_address(ada: Assistant, client: Client) -> None:
    ada.plan(*[f"Okapi {number}" for number in range(45)])
    signed_in(client)
    address, seen = "/search/?q=okapi&kind=task", []
    while address:
        page = html_of(client.get(address))
        assert re.search(r'<p class="muted number">45\b', page)
        seen += re.findall(r'href="/tasks/([^/]+)/"', page)
        following = re.search(r'rel="next" href="\?([^"]+)"', page)
        address = f"/search/?{following[1].replace('&amp;', '&')}" if following else ""
    assert len(seen) == len(set(seen)) == 45
    for nonsense in ("cursor=x", "kind=x", "q=%00&project=%00", "project=nowhere", "cursor="):
        html_of(client.get(f"/search/?q=okapi&{nonsense}"))


def test_the_page_says_what_it_did_not_find(ada: Assistant, client: Client) -> None:
    signed_in(client)
    assert 'id="no-results"' in html_of(client.get("/search/?q=unicorn"))
    assert 'id="unknown-project"' in html_of(client.get("/search/?q=unicorn&project=nowhere"))
    before = html_of(client.get("/search/"))
    assert 'class="empty"' in before and 'id="no-results"' not in before
    deliver(ada, "cats alone")
    assert "data-partial" in html_of(client.get("/search/?q=cats+unicorns"))


def test_lists_are_narrowed_by_words_anywhere_in_a_task(ada: Assistant, client: Client, project: Project) -> None:
    ids = ada.plan("Weigh", "Paint")
    ada.complete(ids["Weigh"], summary="On brass scales")
    signed_in(client)
    for query in ("brass", "scales brass", "bra", quote('"brass scales"'), ids["Weigh"]):
        page = html_of(client.get(f"/projects/{project.slug}/tasks/?q={query}"))
        assert f"/tasks/{ids['Weigh']}/" in page and f"/tasks/{ids['Paint']}/" not in page, query
