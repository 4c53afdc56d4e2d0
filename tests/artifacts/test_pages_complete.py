"""The page that completes a task by hand, `/tasks/<public_id>/complete/`."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from artifacts import storage
from artifacts.models import Artifact, ArtifactVersion, Upload, UploadState
from artifacts.storage import staging
from orchestrator_site.asgi.site import body_limit
from orchestrator_site.kernel.errors import Transient
from orchestrator_site.kernel.identity import Principal, Scope
from tasks.choices import Status, Verb
from tasks.gates.definition import normalised
from tasks.models import Event, Note, Project, Task
from tests.factories import (
    fields_with_errors,
    html_of,
    make_dependency,
    make_plan,
    make_project,
    make_task,
    make_user,
    note_of,
)

pytestmark = pytest.mark.django_db
PNG = b"\x89PNG\r\n\x1a\n\x00\xff" * 10


@pytest.fixture
def project(client: Client) -> Project:
    client.force_login(make_user(is_staff=True))
    return make_project("ledger")


@pytest.fixture
def task(project: Project) -> Task:
    """A task in the hands of the person."""
    plan = make_plan(project, 0)
    return make_task(project, parent=plan, title="Count it", status=Status.ACTIVE, lease_holder="ada")


def _of(task: Task) -> str:
    return f"/tasks/{task.public_id}/complete/"


def _sent(client: Client, task: Task, **typed: Any) -> Any:
    fields = {"summary": "Counted", "kind": "general", "work": "", "paths": "", "seen": "active:1"}
    return client.post(_of(task), fields | typed)


def _file(name: str = "count.png", data: bytes = PNG) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, data)


def _stored() -> bytes:
    return b"".join(storage.chunks(ArtifactVersion.objects.get().content))


def _staged() -> list[str]:
    return [upload.public_id for upload in Upload.objects.all() if staging.path_of(upload.public_id).exists()]


def _nothing_was_stored(task: Task) -> bool:
    stands = Task.objects.filter(pk=task.pk, status=task.status).exists()
    left = Upload.objects.filter(state=UploadState.OPEN).exists() or _staged()
    return stands and not left and not ArtifactVersion.objects.exists() and not Event.objects.exists()


def test_a_typed_work_is_stored_with_its_paths_and_the_task_is_completed(client: Client, task: Task) -> None:
    answer = _sent(client, task, work="# Count\r\n\r\n42\r\n", kind="analysis", paths="docs/count.md\r\n/notes/../a.md")
    assert answer["Location"] == f"/tasks/{task.public_id}/"
    artifact = Artifact.objects.get()
    assert (artifact.task, artifact.kind, artifact.summary) == (task, "analysis", "Counted")
    assert [path.path for path in artifact.paths.all()] == ["docs/count.md", "a.md"]
    assert _stored() == b"# Count\n\n42\n"
    done = Task.objects.get(pk=task.pk)
    assert (done.status, done.summary) == (Status.COMPLETED, "Counted")
    page = html_of(client.get(f"/tasks/{task.public_id}/"))
    note = note_of(page, Verb.COMPLETE)
    assert "Count it" in note and artifact.public_id in note
    reported = Event.objects.get(task=task, verb=Verb.COMPLETE)
    assert (reported.actor_kind, reported.actor_name) == ("person", "ada")


def test_decisions_and_lessons_are_stored_one_for_each_line(client: Client, task: Task) -> None:
    _sent(client, task, decisions="Use SQLite, it needs no server\r\n\r\n Count twice ", learned="The till is slow")
    assert list(Note.objects.values_list("task", "kind", "text", "actor_name")) == [
        (task.pk, "decision", "Use SQLite, it needs no server", "ada"),
        (task.pk, "decision", "Count twice", "ada"),
        (task.pk, "learned", "The till is slow", "ada"),
    ]


def test_a_line_that_cannot_be_stored_is_named_and_kept(client: Client, task: Task) -> None:
    answer = _sent(client, task, decisions="x" * 4_001, learned="One\n" * 21)
    page = answer.content.decode()
    assert answer.status_code == 400 and _nothing_was_stored(task)
    assert "x" * 4_001 in page and 'id="wrong-decisions"' in page and 'id="wrong-learned"' in page


@pytest.mark.django_db(transaction=True)
def test_a_file_of_any_kind_is_stored_byte_by_byte_under_its_own_name(client: Client, task: Task) -> None:
    _sent(client, task, file=_file("../../count.png"))
    version = ArtifactVersion.objects.get()
    assert (_stored(), version.media_type) == (PNG, "image/png")
    assert [path.path for path in version.artifact.paths.all()] == ["count.png"]
    assert Task.objects.get(pk=task.pk).status == Status.COMPLETED
    assert _staged() == []


def test_a_file_takes_the_paths_that_were_typed(client: Client, task: Task) -> None:
    _sent(client, task, file=_file("x.bin"), paths="dist/till.tar.gz")
    assert [path.path for path in Artifact.objects.get().paths.all()] == ["dist/till.tar.gz"]


def test_a_file_of_several_parts_arrives_whole(client: Client, task: Task) -> None:
    data = bytes(range(256)) * 40_000  # 10 MB: more than is taken in at once
    _sent(client, task, file=_file(data=data))
    assert _stored() == data


def test_a_summary_alone_completes_a_task_too(client: Client, task: Task) -> None:
    _sent(client, task)
    assert Task.objects.get(pk=task.pk).status == Status.COMPLETED
    assert not Artifact.objects.exists()


def test_work_that_asks_for_review_waits_for_it(client: Client, task: Task) -> None:
    Task.objects.filter(pk=task.pk).update(requires_review=True)
    _sent(client, task, work="42")
    assert Task.objects.get(pk=task.pk).status == Status.IN_REVIEW
    assert "Count it" in note_of(html_of(client.get("/")), Verb.COMPLETE)


def test_a_ready_task_is_taken_on_the_way(client: Client, project: Project) -> None:
    task = make_task(project, is_ready=True)
    _sent(client, task, seen="pending:0", work="42")
    verbs = list(Event.objects.filter(task=task).order_by("id").values_list("verb", flat=True))
    assert Task.objects.get(pk=task.pk).status == Status.COMPLETED
    assert sorted(verbs) == sorted([Verb.CLAIM, Verb.DELIVER, Verb.COMPLETE])


def test_work_for_a_revision_becomes_the_next_version(client: Client, task: Task) -> None:
    _sent(client, task, work="41")
    Task.objects.filter(pk=task.pk).update(
        status=Status.NEEDS_REVISION, review_comment="Again", completed_at=None, is_ready=True
    )
    _sent(client, task, work="42", seen="needs_revision:1")
    assert Artifact.objects.get().version == 2


@pytest.mark.parametrize(
    ("typed", "place"),
    [
        ({"summary": " \n"}, "summary"),
        ({"summary": "x" * 20_001}, "summary"),
        ({"summary": "a\x00b"}, "summary"),
        ({"kind": "poem"}, "kind"),
        ({"paths": "a\x01b"}, "paths"),
        ({"paths": "a.md", "work": ""}, "paths"),
        ({"paths": "\n".join(f"{n}.md" for n in range(101))}, "paths"),
    ],
)
def test_errors_are_next_to_their_fields_and_input_is_kept(
    client: Client, task: Task, typed: dict[str, str], place: str
) -> None:
    answer = _sent(client, task, **{"work": "An hour of work", **typed})
    page = answer.content.decode()
    assert answer.status_code == 400
    assert fields_with_errors(page) == [place]
    assert "An hour of work" in page or typed.get("work") == ""
    assert _nothing_was_stored(task)


def test_text_and_file_at_once_are_refused(client: Client, task: Task) -> None:
    answer = _sent(client, task, work="An hour of work", file=_file())
    page = answer.content.decode()
    assert answer.status_code == 400
    assert fields_with_errors(page) == ["file"] and "An hour of work" in page
    assert _nothing_was_stored(task)


def test_an_empty_file_is_refused(client: Client, task: Task) -> None:
    answer = _sent(client, task, file=_file(data=b""))
    assert answer.status_code == 400 and fields_with_errors(answer.content.decode()) == ["file"]
    assert _nothing_was_stored(task)


def test_a_text_and_a_file_have_the_same_limits_as_over_mcp_and_rest(client: Client, task: Task, settings: Any) -> None:
    settings.ORCHESTRATOR_MAX_DELIVERY_BYTES = 1000
    settings.ORCHESTRATOR_MAX_UPLOAD_BYTES = 2000
    for place, typed in {"work": {"work": "é" * 501}, "file": {"file": _file(data=b"x" * 2001)}}.items():
        answer = _sent(client, task, **typed)
        assert answer.status_code == 413
        assert fields_with_errors(answer.content.decode()) == [place]
    assert _nothing_was_stored(task)
    _sent(client, task, file=_file(data=b"x" * 2000))
    assert Task.objects.get(pk=task.pk).status == Status.COMPLETED


def test_a_long_text_is_taken_from_the_form(client: Client, task: Task) -> None:
    _sent(client, task, work="word " * 1_000_000)  # more than a form of Django may hold by itself
    assert len(_stored()) == 5_000_000


def test_a_second_completion_gets_a_conflict_and_keeps_the_input(client: Client, task: Task) -> None:
    _sent(client, task, summary="First")
    answer = _sent(client, task, summary="Second", work="An hour of work", file=None or "")
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "ada" in note_of(page, "conflict") and "An hour of work" in page
    assert Task.objects.get(pk=task.pk).summary == "First" and not Artifact.objects.exists()


def test_an_invalid_form_does_not_hide_a_conflict(client: Client, task: Task) -> None:
    Task.objects.filter(pk=task.pk).update(lease_number=2, lease_holder="someone else")
    wrong = _sent(client, task, kind="nonsense", work="x", seen="active:1")
    assert wrong.status_code == 400
    (seen,) = re.findall(r'name="seen" value="([^"]*)"', wrong.content.decode())
    assert _sent(client, task, work="x", seen=seen).status_code == 409
    assert _nothing_was_stored(task)


def test_a_file_for_a_task_that_moved_leaves_nothing_behind(client: Client, task: Task) -> None:
    answer = _sent(client, task, seen="pending:0", file=_file())
    assert answer.status_code == 409 and 'id="file-lost"' in answer.content.decode()
    assert _nothing_was_stored(task) and not Upload.objects.exists()


def test_a_file_is_not_kept_where_the_projects_files_cannot_be_looked_at(
    client: Client, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(**_: object) -> None:
        raise Transient("The project's files cannot be read.")

    Task.objects.filter(pk=task.pk).update(gates=normalised([{"command": "test"}])[0])
    monkeypatch.setattr("tasks.services.gates.look_at", unreadable)
    assert _sent(client, task, file=_file()).status_code == 503
    assert Upload.objects.exists() and _nothing_was_stored(task)


def test_work_for_a_task_that_waits_is_refused_and_what_it_waits_for_is_shown(client: Client, project: Project) -> None:
    task = make_task(project)
    make_dependency(task, make_task(project, title="Comes first"))
    assert "Comes first" in html_of(client.get(_of(task)))
    answer = _sent(client, task, seen="pending:0", work="An hour of work")
    page = answer.content.decode()
    assert answer.status_code == 409
    assert note_of(page, "not_ready") and "An hour of work" in page
    assert not ArtifactVersion.objects.exists()


@pytest.mark.parametrize(
    "status", [Status.COMPLETED, Status.CANCELLED, Status.BLOCKED, Status.FAILED, Status.IN_REVIEW]
)
def test_a_task_in_another_state_takes_no_work(client: Client, project: Project, status: str) -> None:
    task = make_task(project, status=status)
    page = html_of(client.get(_of(task)))
    assert 'id="not-possible"' in page and "<textarea" not in page
    assert _sent(client, task, seen="", work="42").status_code == 409
    assert _nothing_was_stored(task)


def test_a_plan_is_not_completed_by_hand(client: Client, task: Task) -> None:
    plan = task.parent
    assert plan is not None
    page = html_of(client.get(_of(plan)))
    assert 'id="not-possible"' in page and "<textarea" not in page
    assert _sent(client, plan, seen="").status_code == 409


def test_completing_a_task_held_by_others_shows_a_warning(client: Client, project: Project) -> None:
    task = make_task(project, status=Status.ACTIVE, lease_holder="Claude Code")
    page = html_of(client.get(_of(task)))
    assert "<bdi>Claude Code</bdi>" in page.partition('id="held-by"')[2].partition("</p>")[0]


def test_hostile_text_comes_back_as_text(client: Client, task: Task) -> None:
    evil = "</textarea><script>alert(1)</script>\u202e"
    answer = _sent(client, task, summary="", work=evil, paths=evil, kind=evil)
    page = answer.content.decode()
    assert answer.status_code == 400
    assert "<script>alert" not in page and "&lt;script&gt;alert(1)" in page


def test_it_leads_back_to_where_it_was_asked_for_but_to_no_other_host(client: Client, project: Project) -> None:
    for target, place in (("/projects/ledger/", "/projects/ledger/"), ("//evil.example/", None)):
        task = make_task(project, status=Status.ACTIVE)
        assert _sent(client, task, next=target)["Location"] == (place or f"/tasks/{task.public_id}/")


@pytest.mark.parametrize(("facts", "status"), [({}, 403), ({"is_staff": True}, 200), ({"is_superuser": True}, 200)])
def test_it_is_for_those_who_may_write(task: Task, facts: dict[str, bool], status: int) -> None:
    client = Client()
    client.force_login(make_user("grace", **facts))
    assert client.get(_of(task)).status_code == status
    if status == 403:
        assert _sent(client, task).status_code == 403
        assert Task.objects.get(pk=task.pk).status == Status.ACTIVE


def test_a_post_without_its_token_is_refused(task: Task) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(make_user("grace", is_staff=True))
    assert _sent(strict, task).status_code == 403


def test_only_the_address_that_takes_a_file_takes_a_body_of_its_size() -> None:
    largest = 100 * 1024 * 1024
    writer, reader = Principal("ada"), Principal("ada", frozenset({Scope.READ}))
    by_token = Principal("ada/laptop", token_id="token_1")
    taken = {
        (method, path): body_limit({"method": method, "path": path}, writer) > largest
        for method, path in (
            ("POST", "/tasks/tester_1/complete/"),
            ("PUT", "/tasks/tester_1/complete/"),
            ("POST", "/api/v1/tasks/tester_1/complete/"),
            ("POST", "/tasks/tester_1/edit/"),
            ("POST", "/sign-in/"),
        )
    }
    form = {"method": "POST", "path": "/tasks/tester_1/complete/"}
    assert [address for address, is_taken in taken.items() if is_taken] == [("POST", "/tasks/tester_1/complete/")]
    assert body_limit(form, reader) < largest > body_limit(form, by_token)
