"""The pages of sessions: who was here, what it holds, did and cost, and how one is ended."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from tasks.choices import Status, Verb
from tasks.models import Event, Project, Session, Task, ToolUse
from tasks.selectors import sessions as query
from tests.factories import html_of, make_event, make_project, make_session, make_task, signed_in

HOSTILE = '<script>alert(1)</script><img src=x onerror="x">\u202e[a](javascript:x)'

pytestmark = pytest.mark.django_db


def _used(session: Session, tool: str = "plan", **sums: int) -> ToolUse:
    now = timezone.now()
    return ToolUse.objects.create(session=session, tool=tool, first_at=now, last_at=now, **sums)


def _held(session: Session, **fields: object) -> Task:
    return make_task(session.project, status=Status.ACTIVE, lease_session=session, **fields)


@pytest.fixture
def project() -> Project:
    return make_project("ledger", name="The ledger")


@pytest.fixture
def session(project: Project) -> Session:
    """An open session that holds a task, delivered one, and made some calls."""
    session = make_session(project, client_name="Claude Code", client_version="2.1", principal="ada/laptop")
    _held(session, title="Count the coins")
    done = make_task(project, status=Status.COMPLETED, title="Find the purse")
    make_event(done, Verb.COMPLETE, session=session)
    _used(session, "orchestrator_plan_task", calls=8, errors=2, repaired=1, bytes_sent=4096, bytes_received=2048)
    return session


def test_a_stranger_is_sent_to_sign_in(client: Client, session: Session) -> None:
    for address in ("/sessions/", f"/sessions/{session.public_id}/", f"/sessions/{session.public_id}/end/"):
        assert client.get(address).status_code == 302


def test_without_sessions_the_page_says_how_one_comes_about(client: Client) -> None:
    assert 'class="empty"' in html_of(signed_in(client).get("/sessions/"))


def test_the_list_says_who_holds_what_and_what_the_calls_came_to(client: Client, session: Session) -> None:
    page = html_of(signed_in(client).get("/sessions/"))
    for words in ("Claude Code", "2.1", "ada/laptop", "Count the coins", "1 event", "8 calls", "2 errors", "4.0"):
        assert words in page, words
    assert "25%" in page


def test_sessions_come_newest_first_and_are_narrowed_by_project_state_and_client(
    client: Client, session: Session
) -> None:
    signed_in(client)
    make_session(session.project, client_name="Cursor", ended_at=timezone.now())
    make_session(make_project("other"), client_name="Windsurf")

    def shown(asked: str) -> list[str]:
        page = html_of(client.get(f"/sessions/?{asked}"))
        names = ("Claude Code", "Cursor", "Windsurf")
        places = {page.find(f"<bdi>{name}</bdi>"): name for name in names if f"<bdi>{name}</bdi>" in page}
        return [places[place] for place in sorted(places)]

    assert shown("") == ["Windsurf", "Cursor", "Claude Code"]
    assert shown("project=ledger") == ["Cursor", "Claude Code"]
    assert shown("open=true") == ["Windsurf", "Claude Code"]
    assert shown("client=cursor&project=ledger") == ["Cursor"]
    assert shown("open=nonsense&page=x&client=%00") == ["Windsurf", "Cursor", "Claude Code"]
    assert client.get("/sessions/?project=unknown").status_code == 404
    assert 'class="empty"' in html_of(client.get("/sessions/?client=nobody"))


def test_the_totals_are_those_of_the_list(client: Client, session: Session) -> None:
    other = make_session(make_project("other"), client_name="Cursor")
    _used(other, "orchestrator_plan_task", calls=2, bytes_sent=10)
    _used(other, "orchestrator_get_status", calls=1, errors=1, bytes_sent=9000)
    everywhere = query.totals(query.Filters())
    assert [(cost.name, cost.calls, cost.errors, cost.bytes_sent) for cost in everywhere["tools"]] == [
        ("orchestrator_get_status", 1, 1, 9000),
        ("orchestrator_plan_task", 10, 2, 4106),
    ]
    assert [(cost.name, cost.calls) for cost in everywhere["clients"]] == [("Cursor", 3), ("Claude Code", 8)]
    here = query.totals(query.Filters(project=session.project))
    assert [(cost.name, cost.calls, cost.error_percent, cost.bytes_per_call) for cost in here["tools"]] == [
        ("orchestrator_plan_task", 8, 25, 512)
    ]


@pytest.mark.parametrize(("calls", "errors", "percent"), [(0, 0, 0), (1000, 1, 1), (3, 1, 33), (2, 2, 100)])
def test_error_rates_are_never_rounded_to_none(calls: int, errors: int, percent: int) -> None:
    assert query.Cost(calls=calls, errors=errors).error_percent == percent


def test_many_events_are_not_counted_to_the_end(client: Client, session: Session) -> None:
    row = {"project": session.project, "actor_kind": "assistant", "actor_name": "a", "verb": Verb.EDIT}
    Event.objects.bulk_create([Event(session=session, **row) for _ in range(query.EVENTS_COUNTED)])
    assert "1,000 events" in html_of(signed_in(client).get("/sessions/"))


def test_a_session_shows_its_facts_tasks_events_and_tools(client: Client, session: Session) -> None:
    page = html_of(signed_in(client).get(f"/sessions/{session.public_id}/"))
    for words in ("ada/laptop", "Count the coins", "Find the purse", "orchestrator_plan_task", "8 calls", "2 errors"):
        assert words in page, words
    assert 'data-verb="complete"' in page
    assert "2.0" in page and "4.0" in page
    assert 'id="end-session"' not in page


def test_a_run_of_events_is_one_line(client: Client, project: Project) -> None:
    session = make_session(project)
    for verb in [Verb.CLAIM, *[Verb.PLAN] * 19, Verb.COMPLETE]:
        make_event(make_task(project), verb, session=session)
    page = html_of(signed_in(client).get(f"/sessions/{session.public_id}/"))
    (run,) = re.findall(r'<details id="run-\d+">(.*?)</details>', page, re.DOTALL)
    assert "Planned: 19 tasks" in run and run.count('data-verb="plan"') == 19
    assert page.count("data-verb=") == 21


def test_the_sessions_of_a_project_mark_its_tab(client: Client, session: Session) -> None:
    signed_in(client)
    for address, mark in (("?project=ledger", "page"), (f"{session.public_id}/", "true")):
        tabs = html_of(client.get(f"/sessions/{address}")).partition('id="project-tabs"')[2].partition("</nav>")[0]
        assert re.findall(r'aria-current="(\w+)">(\w+)', tabs) == [(mark, "Sessions")]


def test_an_unknown_session_is_not_found(client: Client) -> None:
    signed_in(client)
    assert client.get("/sessions/nothing/").status_code == 404
    assert client.get("/sessions/a%00b/").status_code == 404


def test_hostile_names_are_shown_as_text(client: Client, project: Project) -> None:
    hostile = make_session(project, client_name=HOSTILE, client_version=HOSTILE[:90], principal=HOSTILE)
    _held(hostile, title=HOSTILE)
    _used(hostile, HOSTILE[:80], calls=1)
    make_event(make_task(project, title=HOSTILE), Verb.COMPLETE, session=hostile)
    signed_in(client, is_superuser=True)
    for address in ("", f"{hostile.public_id}/", f"{hostile.public_id}/end/"):
        page = html_of(client.get(f"/sessions/{address}"))
        assert "<script>alert" not in page and "<img src=x" not in page
        assert "&lt;script&gt;" in page


@pytest.mark.parametrize("who", [{}, {"is_staff": True}])
def test_only_an_owner_ends_a_session(client: Client, session: Session, who: dict[str, bool]) -> None:
    signed_in(client, **who)
    assert client.get(f"/sessions/{session.public_id}/end/").status_code == 403
    assert client.post(f"/sessions/{session.public_id}/end/").status_code == 403
    session.refresh_from_db()
    assert session.ended_at is None


def test_an_owner_ends_a_session_and_its_tasks_are_free(client: Client, session: Session) -> None:
    signed_in(client, is_superuser=True)
    assert 'id="end-session"' in html_of(client.get(f"/sessions/{session.public_id}/"))
    asked = html_of(client.get(f"/sessions/{session.public_id}/end/"))
    assert "1 task" in asked and "Count the coins" in asked
    page = html_of(client.post(f"/sessions/{session.public_id}/end/", follow=True))
    assert 'class="note success"' in page and 'id="end-session"' not in page
    session.refresh_from_db()
    assert session.ended_at is not None
    assert Task.objects.get(title="Count the coins").lease_is_over(timezone.now() + timedelta(seconds=1))
    assert Event.objects.get(verb=Verb.END_SESSION).actor_name == "ada"
    again = html_of(client.post(f"/sessions/{session.public_id}/end/", follow=True))
    assert 'class="note success"' in again and Event.objects.filter(verb=Verb.END_SESSION).count() == 1


def test_a_post_without_a_token_is_refused(session: Session) -> None:
    client = signed_in(Client(enforce_csrf_checks=True), is_superuser=True)
    assert client.post(f"/sessions/{session.public_id}/end/").status_code == 403


@pytest.mark.parametrize("number", [3, 20])
def test_a_list_asks_as_much_for_many_as_for_few(
    client: Client, project: Project, number: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(number):
        session = make_session(project)
        _used(session, calls=1)
        make_event(_held(session), session=session)
    signed_in(client)
    with django_assert_num_queries(12):
        html_of(client.get("/sessions/?project=ledger"))


@pytest.mark.parametrize("number", [3, 20])
def test_a_session_asks_as_much_for_many_as_for_few(
    client: Client, project: Project, number: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    session = make_session(project)
    for place in range(number):
        _used(session, f"tool-{place}", calls=1)
        make_event(_held(session), Verb.COMPLETE, session=session)
    signed_in(client)
    with django_assert_num_queries(9):
        html_of(client.get(f"/sessions/{session.public_id}/"))
