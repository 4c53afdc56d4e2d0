"""Who may see and do what in the browser: page by page and verb by verb, for everyone from a stranger to the owner."""

from __future__ import annotations

import pytest
from django.test import Client

from tasks.choices import Status, Verb
from tasks.models import Task
from tasks.selectors.available_actions import BY_VERB
from tests.factories import make_plan, make_project, make_task, make_user
from tests.tour import World, make_world, named_pages

pytestmark = pytest.mark.django_db

PEOPLE = {
    "stranger": None,
    "reader": {},
    "reviewer": {"is_staff": True},
    "owner": {"is_staff": True, "is_superuser": True},
}
EVERYBODY, WORKERS, OWNERS = ("reader", "reviewer", "owner"), ("reviewer", "owner"), ("owner",)

SEEN_BY: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        (
            "projects", "project-list", "project", "board", "tasks", "task", "act", "graph", "timeline", "synthesis",
            "synthesis-markdown", "reviews", "review", "sessions", "session", "specialists", "specialist", "search",
            "files", "folder", "files-zip", "task-zip", "artifact", "artifact-raw", "artifact-diff", "artifact-part",
            "tokens", "maintenance", "operation", "archive", "handovers", "handover", "agents", "project-agents", "run",
            "run-changes", "library", "template", "template-version", "contexts", "context",
            "patterns", "recurring", "resources", "insights",
        ),
        EVERYBODY,
    ),
    **dict.fromkeys(
        (
            "act-verb", "task-edit", "task-order", "task-complete", "worktrees", "run-start", "run-act", "run-merge",
            "template-apply", "context-new", "context-edit", "context-merge", "lesson",
        ),
        WORKERS,
    ),
    **dict.fromkeys(
        (
            "project-settings", "settings-yaml", "settings-download", "specialist-edit",
            "specialist-new", "specialist-reset",
            "session-end", "sample-remove", "isolation-settings", "template-new", "template-edit", "template-delete",
            "site-library", "site-template-new", "site-template", "site-template-edit", "site-template-delete",
            "site-template-version", "pattern-draft", "recurring-new", "recurring-edit",
        ),
        OWNERS,
    ),
}  # fmt: skip

POSTED = {"maintenance-run", "finding-snooze", "operation-undo", "schedule-run", "handover-prepare", "tombstone-import",
          "restart", "run-message", "run-answer", "run-patch",
          "recurring-act", "context-act", "resource-free", "waive", "insights-count",
          "maintenance-settings"}  # fmt: skip
"""What buttons post to, download or lead on to: tests/maintenance, tests/agents and tests/library have them."""

VERBS: dict[Verb, tuple[str, tuple[str, ...]]] = {
    Verb.APPROVE: (Status.IN_REVIEW, WORKERS),
    Verb.REQUEST_REVISION: (Status.IN_REVIEW, WORKERS),
    Verb.CLAIM: (Status.PENDING, WORKERS),
    Verb.RELEASE: (Status.ACTIVE, WORKERS),
    Verb.BLOCK: (Status.PENDING, WORKERS),
    Verb.UNBLOCK: (Status.BLOCKED, WORKERS),
    Verb.FAIL: (Status.ACTIVE, WORKERS),
    Verb.RETRY: (Status.FAILED, WORKERS),
    Verb.CANCEL: (Status.PENDING, WORKERS),
    Verb.REOPEN: (Status.CANCELLED, WORKERS),
}


def _as(client: Client, who: str) -> Client:
    facts = PEOPLE[who]
    if facts is not None:
        client.force_login(make_user(who, **facts))
    return client


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("name", SEEN_BY)
def test_a_page_is_shown_to_whom_it_is_for(client: Client, world: World, name: str, who: str) -> None:
    answer = _as(client, who).get(world.address(name))
    if who == "stranger":
        assert (answer.status_code, answer["Location"].startswith("/sign-in/")) == (302, True)
    else:
        assert answer.status_code == (200 if who in SEEN_BY[name] else 403)
        assert {"private", "no-store"} & set(answer["Cache-Control"].replace(",", "").split())


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("verb", VERBS)
def test_an_action_is_offered_and_done_only_for_those_allowed(client: Client, verb: Verb, who: str) -> None:
    status, allowed = VERBS[verb]
    task = make_task(make_project(), parent=make_plan(make_project("other"), 0), status=status, is_ready=False)
    Task.objects.filter(pk=task.pk, status=Status.PENDING).update(is_ready=True)
    person = _as(client, who)
    menu = person.get(f"/tasks/{task.public_id}/act/")
    words = {"reason": "Because"} if BY_VERB[verb].reason else {}
    answer = person.post(f"/tasks/{task.public_id}/act/{verb}/", {**words, "next": "/"})
    changed = Task.objects.get(pk=task.pk).status != status
    assert changed == (who in allowed)
    assert answer.status_code == (302 if who == "stranger" or who in allowed else 403)
    if who != "stranger":
        assert (f"/act/{verb}/" in menu.content.decode()) == (who in allowed)


def test_the_table_leaves_no_page_out() -> None:
    elsewhere = {"theme", "sample", "artifact-image", "token-revoke", *POSTED}
    assert named_pages() - set(SEEN_BY) - elsewhere == set()


@pytest.mark.parametrize("address", ["/projects/tour/settings/", "/tasks/{}/act/cancel/"])
def test_a_refused_page_shows_an_error_for_people(client: Client, world: World, address: str) -> None:
    page = _as(client, "reader").get(address.format(world.review.public_id)).content.decode()
    assert 'data-code="forbidden"' in page and "access token" not in page
