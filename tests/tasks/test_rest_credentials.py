"""Who may come in over REST, and what each may do."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from orchestrator_site.tokens.bearer import FailureThrottle
from orchestrator_site.tokens.service import create_token, revoke_token
from tasks.models import Event, Project, Session, Task
from tests.factories import make_plan, make_project, make_session, make_task, make_user
from tests.rest import Rest, rest, signed_in_rest, subtask

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project("shop")


def test_without_credentials_the_answer_says_which_are_wanted() -> None:
    stranger = Rest(Client())
    problem = stranger.refused(401, "GET", "/projects")
    assert problem["code"] == "forbidden"
    assert "Authorization: Bearer" in problem["detail"]
    assert stranger.send("GET", "/projects")["WWW-Authenticate"] == 'Bearer realm="task-orchestrator"'


def test_a_token_that_was_revoked_opens_nothing_and_is_reported_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    token, secret = create_token(owner=make_user("ada", is_staff=True), name="laptop", scopes=["read"])
    revoke_token(token=token)
    client = Rest(Client(headers={"Authorization": f"Bearer {secret}"}))
    problem = client.refused(401, "GET", "/projects")
    assert 'error="invalid_token"' in client.send("GET", "/projects")["WWW-Authenticate"]
    assert secret not in str(problem)
    assert secret not in caplog.text


def test_who_tries_token_after_token_has_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator_site.tokens.bearer.failures", FailureThrottle(failures=2))
    guesser = Rest(Client(headers={"Authorization": "Bearer mto_guess"}))
    for _ in range(2):
        guesser.refused(401, "GET", "/projects")
    guesser.refused(429, "GET", "/projects")
    assert int(guesser.send("GET", "/projects")["Retry-After"]) > 0


def test_a_bad_token_is_not_made_good_by_a_cookie(project: Project) -> None:
    person = signed_in_rest()
    person.refused(401, "GET", "/projects", Authorization="Bearer mto_guess")


@pytest.mark.parametrize(
    ("scopes", "method", "address", "body", "needed"),
    [
        (("read",), "POST", "/plans", {"project": "shop", "description": "x", "subtasks": []}, "write"),
        (("read",), "PATCH", "/tasks/{task}", {"title": "x"}, "write"),
        (("read",), "POST", "/tasks/{task}/claim", {}, "write"),
        (("write",), "POST", "/tasks/{task}/approve", {}, "review"),
        (("write",), "POST", "/tasks/{task}/request-revision", {"reason": "x"}, "review"),
        (("write", "review"), "POST", "/projects", {"name": "x"}, "admin"),
        (("write", "review"), "PATCH", "/projects/shop", {"name": "x"}, "admin"),
        (("write", "review"), "PUT", "/projects/shop/specialists/tester", {"role_definition": "x"}, "admin"),
        (("review",), "POST", "/projects/shop/claim-next", {}, "write"),
    ],
)
def test_a_scope_that_is_missing_is_named(
    project: Project, scopes: tuple[str, ...], method: str, address: str, body: dict[str, object], needed: str
) -> None:
    task = make_task(project, parent=make_plan(project, 1))
    before = Event.objects.count()
    problem = rest(scopes=scopes).refused(403, method, address.format(task=task.public_id), body)
    assert problem["details"] == {"scope": needed}
    assert Event.objects.count() == before


def test_a_reviewer_approves(project: Project) -> None:
    task = make_task(project, parent=make_plan(project, 1), status="in_review")
    answer = rest(scopes=("review",)).post(f"/tasks/{task.public_id}/approve")
    assert answer["task"]["status"] == "completed"


def test_a_bound_token_sees_its_project_and_nothing_else(project: Project) -> None:
    other = make_project("ledger")
    theirs = make_task(other, parent=make_plan(other, 1))
    session = make_session(other)
    ours = make_task(project, parent=make_plan(project, 1))
    bound = rest(project=project)
    assert [row["slug"] for row in bound.get("/projects")["results"]] == ["shop"]
    assert {row["project"] for row in bound.get("/tasks")["results"]} == {"shop"}
    assert bound.get("/sessions")["results"] == []
    assert bound.get(f"/tasks/{ours.public_id}")["project"] == "shop"
    for method, address in [
        ("GET", "/projects/ledger"),
        ("GET", "/projects/ledger/status"),
        ("GET", "/projects/ledger/specialists"),
        ("POST", "/projects/ledger/claim-next"),
        ("PATCH", "/projects/ledger"),
        ("GET", f"/tasks/{theirs.public_id}"),
        ("GET", f"/tasks/{theirs.public_id}/brief"),
        ("GET", f"/tasks/{theirs.public_id}/dependencies"),
        ("POST", f"/tasks/{theirs.public_id}/claim"),
        ("GET", f"/plans/{theirs.parent.public_id if theirs.parent else ''}"),
        ("GET", f"/sessions/{session.public_id}"),
        ("POST", f"/sessions/{session.public_id}/end"),
    ]:
        bound.refused(404, method, address, {} if method != "GET" else None)


def test_what_belongs_to_another_project_looks_like_what_is_not_there(project: Project) -> None:
    other = make_project("ledger")
    theirs = make_task(other).public_id
    bound = rest(project=project)
    here, nowhere = bound.refused(404, "GET", f"/tasks/{theirs}"), bound.refused(404, "GET", "/tasks/task_00000000")
    assert here["detail"].replace(theirs, "X") == nowhere["detail"].replace("task_00000000", "X")


def test_a_bound_token_plans_in_its_project_without_naming_it(project: Project) -> None:
    bound = rest(project=project)
    made = bound.post("/plans", {"description": "A job", "subtasks": [subtask("A")]})
    assert made["project"] == "shop"
    bound.refused(404, "POST", "/plans", {"project": make_project().slug, "description": "x", "subtasks": []})


def test_without_a_bound_the_project_has_to_be_named_even_where_there_is_one(project: Project) -> None:
    problem = rest().refused(400, "POST", "/plans", {"description": "A job", "subtasks": [subtask("A")]})
    assert problem["problems"][0]["at"] == "project"


def test_a_token_acts_as_an_assistant_in_its_own_session(project: Project) -> None:
    token = rest()
    task = token.plan(project, "A")["A"]
    token.post(f"/tasks/{task}/claim")
    event = Event.objects.get(verb="claim")
    session = Session.objects.get()
    assert (event.actor_kind, event.actor_name, event.session) == ("assistant", session.principal, session)
    assert Task.objects.get(public_id=task).lease_session == session


def test_a_person_who_signed_in_reads_without_more(project: Project) -> None:
    assert signed_in_rest().get("/projects")["results"][0]["slug"] == "shop"


def test_a_page_of_another_site_cannot_write_with_a_persons_cookie(project: Project) -> None:
    task = make_task(project, parent=make_plan(project, 1))
    person = signed_in_rest(is_staff=True)
    problem = person.refused(403, "POST", f"/tasks/{task.public_id}/block", {"reason": "x"})
    assert "CSRF" in problem["detail"]
    assert Task.objects.get(pk=task.pk).status == "pending"


def with_csrf_token(person: Rest) -> dict[str, str]:
    person.client.get("/")
    return {"X_CSRFToken": person.client.cookies[settings.CSRF_COOKIE_NAME].value}


def test_a_person_with_the_csrf_token_acts_as_a_person(project: Project) -> None:
    task = make_task(project, parent=make_plan(project, 1))
    person = signed_in_rest(name="grace", is_staff=True)
    answer = person.post(f"/tasks/{task.public_id}/block", {"reason": "Wait"}, **with_csrf_token(person))
    assert answer["task"]["status"] == "blocked"
    event = Event.objects.filter(task=task).latest("id")
    assert (event.actor_kind, event.actor_name, event.session) == ("person", "grace", None)


def test_a_person_names_no_session(project: Project) -> None:
    task = make_task(project, parent=make_plan(project, 1))
    person = signed_in_rest(is_staff=True)
    headers = with_csrf_token(person)
    body = {"reason": "x", "session_id": make_session(project).public_id}
    person.refused(400, "POST", f"/tasks/{task.public_id}/block", body, **headers)
    person.refused(400, "POST", "/sessions", {"project": "shop"}, **headers)


def test_someone_without_rights_only_looks(project: Project) -> None:
    task = make_task(project, parent=make_plan(project, 1))
    person = signed_in_rest()
    body = {"reason": "x"}
    assert person.get(f"/tasks/{task.public_id}")["status"] == "pending"
    person.refused(403, "POST", f"/tasks/{task.public_id}/block", body, **with_csrf_token(person))


def test_an_owner_who_is_switched_off_takes_the_tokens_along(project: Project) -> None:
    owner = make_user("ada", is_staff=True)
    token = rest(owner, scopes=("read",))
    token.get("/projects")
    User.objects.filter(pk=owner.pk).update(is_active=False)
    token.refused(401, "GET", "/projects")
