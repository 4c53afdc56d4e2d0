"""Every page over a large board: the time from the request to the finished page, without the network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client
from django.urls import NoReverseMatch, reverse

from artifacts.models import Artifact
from orchestrator_site.up.static_files import collect_static
from tasks.choices import Status, Verb
from tasks.models import Event, Session, Task
from tests.bench.boards import Board
from tests.bench.context import Bench
from tests.bench.entry_points import Failed
from tests.bench.figures import Figure, milliseconds, times
from tests.bench.search import deliver

GOAL_MS = 60
ARTIFACTS = 10_000
SESSIONS = 1_000
_BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Asked:
    """A page by what it is, the name of its address, what stands in that, and its query."""

    what: str
    name: str
    words: tuple[str, ...] = ()
    query: str = ""


def pages(bench: Bench) -> Iterator[Figure]:
    """All of them, on the largest board, with work delivered, events and sessions."""
    board = bench.board(bench.sizes[1])
    _live_in(board, ARTIFACTS // (10 if bench.quick else 1))
    client = signed_in()
    for asked in _asked_for(board):
        address = _address(asked)
        _check(client, address)
        samples = milliseconds(lambda address=address: client.get(address), runs=bench.runs(30))  # type: ignore[misc]
        yield times(f"page of {board.size:,} tasks: {asked.what}", samples, goal=GOAL_MS)


def _asked_for(board: Board) -> list[Asked]:
    slug, plan = (board.project.slug,), (board.plan_id,)
    task = (_one(board, Status.IN_REVIEW).public_id,)
    artifact = (Artifact.objects.filter(project=board.project).latest("pk").public_id,)
    return [
        Asked("home", "projects"),
        Asked("project", "project", slug),
        Asked("board", "board", slug),
        Asked("board of one plan", "board", slug, f"plan={board.plan_id}"),
        Asked("board, searched", "board", slug, "q=webhooks"),
        Asked("board of one specialist", "board", slug, "specialist=tester"),
        Asked("table of tasks", "tasks", slug),
        Asked("table, searched", "tasks", slug, "q=webhooks&status=pending"),
        Asked("files", "files", slug),
        Asked("specialists", "specialists", slug),
        Asked("specialist", "specialist", (*slug, "tester")),
        Asked("settings", "project-settings", slug),
        Asked("plan", "task", plan),
        Asked("graph of a plan", "graph", plan),
        Asked("timeline of a plan", "timeline", plan),
        Asked("synthesis", "synthesis", plan),
        Asked("task", "task", task),
        Asked("menu of a task", "act", task),
        Asked("edit a task", "task-edit", task),
        Asked("neighbourhood of a task", "graph", task),
        Asked("review", "review", task),
        Asked("inbox of reviews", "reviews"),
        Asked("artifact", "artifact", artifact),
        Asked("sessions", "sessions"),
        Asked("session", "session", (Session.objects.filter(project=board.project).latest("pk").public_id,)),
        Asked("search, a common word", "search", (), "q=word1"),
        Asked("search, words of titles", "search", (), "q=invoice+export"),
        Asked("search, a rare word", "search", (), "q=rare471"),
        Asked("tokens", "tokens"),
        Asked("admin, tasks", "admin:tasks_task_changelist"),
        Asked("admin, events", "admin:tasks_event_changelist"),
        Asked("admin, artifacts", "admin:artifacts_artifact_changelist"),
    ]


def _address(asked: Asked) -> str:
    try:
        address = reverse(asked.name, args=asked.words)
    except NoReverseMatch as error:
        raise Failed(f"There is no page {asked.name!r}.") from error
    return f"{address}?{asked.query}" if asked.query else address


def _check(client: Client, address: str) -> None:
    status = client.get(address).status_code
    if status != 200:
        raise Failed(f"{address} answered {status}.")


def signed_in() -> Client:
    collect_static()  # as `up` does, before a page names its files
    client = Client(SERVER_NAME="localhost")
    owner = User.objects.filter(username="bench-owner").first()
    client.force_login(owner or User.objects.create_superuser("bench-owner"))
    return client


def _one(board: Board, status: Status) -> Task:
    found = Task.objects.filter(project=board.project, status=status).first()
    if found is None:
        raise Failed(f"The board holds no task that is {status}.")
    return found


def _live_in(board: Board, works: int) -> None:
    """Deliver work, and write what a real board has seen: sessions, and a change of every task."""
    with transaction.atomic():
        deliver(board, works)
    sessions = Session.objects.bulk_create(
        Session(
            public_id=f"session_b{number:011x}",
            project=board.project,
            connection_id=f"bench-{number}",
            client_name=("claude-code", "codex", "gemini-cli")[number % 3],
        )
        for number in range(SESSIONS)
    )
    events = (
        Event(
            project=board.project,
            task_id=pk,
            session=sessions[place % SESSIONS],
            actor_kind="assistant",
            actor_name="bench",
            verb=Verb.CLAIM,
            before={"status": "pending"},
            after={"status": "active", "lease_number": 1},
        )
        for place, pk in enumerate(Task.objects.filter(project=board.project).values_list("pk", flat=True))
    )
    with transaction.atomic():
        Event.objects.bulk_create(events, batch_size=_BATCH)
