"""Pages for what went wrong, and what holds for every template."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.templatetags.static import static
from django.test import Client
from django.urls import reverse

from orchestrator_site.kernel.commits import UNCHANGED, note_commit
from orchestrator_site.kernel.errors import Conflict, Transient, invalid
from orchestrator_site.web.field_errors import errors_by_field
from tasks.views import edit as edit_view
from tasks.views import project as project_views
from tests.factories import html_of, make_project, make_task, note_of, sent, signed_in

TEMPLATES = sorted((settings.BASE_DIR / "templates").rglob("*.html"))

pytestmark = pytest.mark.django_db


def test_an_address_without_a_page_is_said_to_be_one_to_strangers_too(client: Client) -> None:
    answer = client.get("/no/such/page/")
    assert answer.status_code == 404
    assert '<p class="code">404</p>' in answer.content.decode()


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (PermissionDenied(), 403),
        (SuspiciousOperation(), 400),
        (RuntimeError("secret"), 500),
        (Transient("The disk is full.", next="Free some space."), 503),
    ],
)
def test_every_kind_of_failure_has_its_page(
    client: Client, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    def fails(**_: object) -> None:
        raise error

    monkeypatch.setattr(project_views.board, "projects", fails)
    client.raise_request_exception = False
    answer = signed_in(client).get("/")
    page = answer.content.decode()
    assert answer.status_code == status
    assert f'<p class="code">{status}</p>' in page and "secret" not in page and "Traceback" not in page
    assert static("orchestrator/site.css") in page
    if isinstance(error, Transient):
        assert all(text in note_of(page, "transient") for text in (error.message, error.next))


def test_a_form_without_its_token_says_what_to_do(client: Client) -> None:
    strict = signed_in(Client(enforce_csrf_checks=True))
    answer = strict.post("/sign-out/")
    assert answer.status_code == 403
    assert '<p class="code">403</p>' in answer.content.decode()


def test_a_form_that_came_by_another_address_names_the_setting(client: Client) -> None:
    strict = signed_in(Client(enforce_csrf_checks=True))
    page = strict.post("/sign-out/", headers={"origin": "http://localhost:9000"}).content.decode()
    hint = page.partition('id="foreign-origin"')[2].partition("</p>")[0]
    assert "http://localhost:9000" in hint and "ORCHESTRATOR_TRUSTED_ORIGINS" in hint
    own = strict.post("/sign-out/", headers={"origin": "http://testserver"}).content.decode()
    assert 'id="foreign-origin"' not in own


def test_every_page_carries_the_strict_policy(client: Client) -> None:
    policy = signed_in(client).get("/")["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_template_holds_what_the_policy_refuses_or_trusts_a_text(template: Path) -> None:
    source = template.read_text()
    inline = r"<script(?! src=)|<style|\sstyle=|\son[a-z]+=|\shref=.?javascript"
    assert not re.search(rf"{inline}|\|safe\b|autoescape off", source)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("title", {"title": ["bad"]}),
        ("settings.review", {"review": ["bad"]}),
        ("paths[2]", {"paths": ["line 3: bad"]}),
        ("subtasks[0].title", {"subtasks": ["line 1, title: bad"]}),
        ("subtasks[0][1]", {"subtasks": ["line 1, [1]: bad"]}),
        ("labels[key]", {"labels": ["[key]: bad"]}),
        ("labels[", {"labels": ["[: bad"]}),
        ("", {"": ["bad"]}),
    ],
)
def test_every_place_of_a_problem_leads_to_a_field(at: str, expected: dict[str, list[str]]) -> None:
    assert errors_by_field(invalid([{"at": at, "problem": "bad"}])) == expected


def test_a_problem_without_a_place_belongs_to_no_field() -> None:
    assert errors_by_field(invalid([{"problem": "bad"}])) == {"": ["bad"]}


KNOWN_TO_HOLD = {
    "403_csrf.html": "the token is checked before any view runs",
    "413.html": "a body that is refused reaches no view",
}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_template_claims_by_itself_that_nothing_was_changed(template: Path) -> None:
    claims = re.findall(r"(?i)nothing (?:was|has been) (?:changed|stored|saved|sent|written)", template.read_text())
    assert not claims or template.name in KNOWN_TO_HOLD


@pytest.mark.parametrize("commits_first", [False, True])
def test_a_page_says_that_nothing_was_changed_only_where_that_is_known(
    client: Client, monkeypatch: pytest.MonkeyPatch, commits_first: bool
) -> None:
    task = make_task(make_project())

    def refuse(**_: object) -> None:
        if commits_first:
            note_commit()
        raise Conflict("It changed.")

    monkeypatch.setattr(edit_view, "change", refuse)
    form = signed_in(client, is_staff=True).get(reverse("task-edit", args=[task.public_id]))
    answer = client.post(reverse("task-edit", args=[task.public_id]), {**sent(html_of(form)), "title": "Another"})
    assert answer.status_code == 409
    assert (UNCHANGED in note_of(answer.content.decode(), "conflict")) is not commits_first


def test_a_page_below_a_path_says_that_this_is_not_supported(client: Client) -> None:
    answer = signed_in(client).get("/", headers={"x-forwarded-prefix": "/board"})
    assert answer.status_code == 421
    assert '<p class="code">421</p>' in answer.content.decode() and "/board" in answer.content.decode()
    assert client.get("/", headers={"x-forwarded-prefix": "/"}).status_code == 200
    assert client.get("/healthz", headers={"x-forwarded-prefix": "/board"}).status_code == 200
