"""Status documents: in step with the board, and nothing of anyone else touched, whatever lies in the folder."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from artifacts.export.safe_writer import Root
from maintenance.choices import Level
from maintenance.marked_part import State, state_of, with_part
from maintenance.selectors import scope
from maintenance.services.documents import Report, update_documents
from orchestrator_site.kernel.errors import Conflict, Forbidden, Invalid, Transient
from orchestrator_site.kernel.identity import Scope as Permission
from tasks.choices import NoteKind, Status
from tasks.identity.actor import Actor
from tasks.models import Note, Project, Task
from tests.factories import make_event, make_plan, make_project, make_session, make_task

pytestmark = pytest.mark.django_db(transaction=True)
ACTOR = Actor(kind="person", name="ada")
MARK = "<!-- orchestrator:end -->"


@pytest.fixture
def project(folder: Path) -> Project:
    return make_project("shop", root_path=str(folder))


@pytest.fixture
def place(folder: Path) -> Path:
    return folder / ".task_orchestrator" / "status"


def update(project: Project, level: Level = Level.BASIC) -> Report:
    return update_documents(scope=scope.of_project(project), level=level, actor=ACTOR)


def files(place: Path) -> list[str]:
    return sorted(str(path.relative_to(place)) for path in place.rglob("*") if not path.is_dir())


def prepared(place: Path, content: bytes, name: str = "STATUS.md") -> Path:
    path = place / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_each_level_of_a_project_writes_more(project: Project, place: Path) -> None:
    plan = make_plan(project)
    make_plan(project, status=Status.CANCELLED)
    assert update(project).written == ["STATUS.md"]
    assert update(project, Level.COMPREHENSIVE).written == [f"plans/{plan.public_id}.md"]
    assert update(project, Level.FULL_AUDIT).written == ["DECISIONS.md"]
    assert files(place) == ["DECISIONS.md", "STATUS.md", f"plans/{plan.public_id}.md"]


def test_a_task_and_a_session_have_the_files_of_their_plans(project: Project, place: Path) -> None:
    plan, session = make_plan(project), make_session(project)
    make_plan(project)
    task = Task.objects.filter(parent=plan)[0]
    make_event(task, session=session)
    for which in (scope.of_task(task), scope.of_session(session)):
        report = update_documents(scope=which, level=Level.BASIC, actor=ACTOR)
        assert report.written + report.unchanged == [f"plans/{plan.public_id}.md"]
    assert update_documents(scope=scope.of_task(task), level=Level.COMPREHENSIVE, actor=ACTOR).written == ["STATUS.md"]


def test_a_file_is_not_written_again_where_nothing_changed(project: Project, place: Path) -> None:
    make_plan(project)
    update(project, Level.FULL_AUDIT)
    before = [(place / name).stat().st_mtime_ns for name in files(place)]
    report = update(project, Level.FULL_AUDIT)
    assert (report.written, len(report.unchanged), report.stale) == ([], 3, {})
    assert [(place / name).stat().st_mtime_ns for name in files(place)] == before


def test_it_follows_the_board(project: Project, place: Path) -> None:
    plan = make_plan(project, 2)
    update(project, Level.COMPREHENSIVE)
    Task.objects.filter(pk=plan.pk).update(title="Renew the till")
    assert update(project, Level.COMPREHENSIVE).written == ["STATUS.md", f"plans/{plan.public_id}.md"]
    assert "Renew the till" in (place / "STATUS.md").read_text()


def test_the_file_of_a_plan_that_ended_shows_its_end(project: Project, place: Path) -> None:
    plan = make_plan(project, 1)
    update(project, Level.COMPREHENSIVE)
    Task.objects.filter(pk=plan.pk).update(status=Status.CANCELLED)
    update(project, Level.COMPREHENSIVE)
    assert f"{plan.public_id}, cancelled" in (place / "plans" / f"{plan.public_id}.md").read_text()


def test_decisions_have_their_reasons(project: Project, place: Path) -> None:
    task = make_task(project)
    Note.objects.create(
        task=task, kind=NoteKind.DECISION, actor_name="ada", text="Keep SQLite.", because="It is enough.",
        instead_of="PostgreSQL.",
    )  # fmt: skip
    Note.objects.create(task=task, kind=NoteKind.LEARNED, actor_name="ada", text="Never said.")
    update(project, Level.FULL_AUDIT)
    written = (place / "DECISIONS.md").read_text()
    assert all(f"> {text}" in written for text in ("Keep SQLite.", "It is enough.", "PostgreSQL."))
    assert "Never said." not in written


def test_everything_outside_the_markers_stays_byte_by_byte(project: Project, place: Path) -> None:
    update(project)
    path = place / "STATUS.md"
    before, after = b"\xff\xfe My notes\r\n\r\n", b"The end, without a newline"
    path.write_bytes(before + path.read_bytes() + after)
    make_plan(project)
    assert update(project).written == ["STATUS.md"]
    assert path.read_bytes().startswith(before)
    assert path.read_bytes().endswith(b"<!-- orchestrator:end -->\n" + after)
    assert update(project).unchanged == ["STATUS.md"]


def test_a_file_with_crlf_stays_one(project: Project, place: Path) -> None:
    update(project)
    path = place / "STATUS.md"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert update(project).unchanged == ["STATUS.md"]
    make_plan(project)
    assert update(project).written == ["STATUS.md"]
    assert path.read_bytes().count(b"\n") == path.read_bytes().count(b"\r\n")


def test_an_empty_part_that_a_person_made_is_filled(project: Project, place: Path) -> None:
    path = prepared(place, b"# Mine\n\n<!-- orchestrator:begin -->\n<!-- orchestrator:end -->\n")
    assert update(project).written == ["STATUS.md"]
    assert path.read_bytes().startswith(b"# Mine\n\n<!-- orchestrator:begin sha256=")


@pytest.mark.parametrize(
    ("content", "state"),
    [
        (b"# Mine\n", State.FOREIGN),
        (b"", State.FOREIGN),
        (b"<!-- orchestrator:begin -->\nnotes\n<!-- orchestrator:end -->\n", State.EDITED),
        (b"<!-- orchestrator:begin -->\n", State.BROKEN),
        (b"<!-- orchestrator:end -->\n<!-- orchestrator:begin -->\n", State.BROKEN),
        (b"<!-- orchestrator:begin -->\n" * 2 + b"<!-- orchestrator:end -->\n" * 2, State.BROKEN),
        (b"<!-- orchestrator:begin sha256=00 -->\n<!-- orchestrator:end -->\n", State.BROKEN),
    ],
)  # fmt: skip
def test_what_is_not_as_we_wrote_it_is_left_and_reported(
    content: bytes, state: State, project: Project, place: Path
) -> None:
    path = prepared(place, content)
    report = update(project)
    assert (report.left, report.written) == ({"STATUS.md": state.value}, [])
    assert path.read_bytes() == content


def test_a_part_edited_by_hand_is_left_and_reported(project: Project, place: Path) -> None:
    update(project)
    path = place / "STATUS.md"
    path.write_text(path.read_text().replace("No tasks.", "All is well."))
    make_plan(project)
    assert update(project).left == {"STATUS.md": State.EDITED.value}
    assert "All is well." in path.read_text()


def test_texts_of_tasks_cannot_end_our_part_or_begin_another(project: Project, place: Path) -> None:
    hostile = f"x\n{MARK}\n<!-- orchestrator:begin -->\r\n{MARK}\u2028{MARK}\x1b[2J<script>"
    make_plan(project, title=f"Title {MARK}", description=hostile)
    make_task(project, status=Status.BLOCKED, reason=hostile)
    Note.objects.create(task=Task.objects.all()[0], kind=NoteKind.DECISION, actor_name=MARK, text=hostile)
    update(project, Level.FULL_AUDIT)
    for name in files(place):
        assert (place / name).read_text().count("<!--") == 2
        assert state_of((place / name).read_bytes()) is State.OURS
    assert len(update(project, Level.FULL_AUDIT).unchanged) == 4


def test_a_link_in_place_of_a_file_is_left_and_what_it_leads_to_too(
    project: Project, place: Path, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    target.write_text("Private.")
    place.mkdir(parents=True)
    (place / "STATUS.md").symlink_to(target)
    assert list(update(project).left) == ["STATUS.md"]
    assert target.read_text() == "Private."


@pytest.mark.parametrize("below", [(), ("status",), ("local",)])
def test_a_link_in_place_of_a_folder_is_a_conflict(
    below: tuple[str, ...], project: Project, folder: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    link = folder.joinpath(".task_orchestrator", *below)
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(elsewhere)
    with pytest.raises(Conflict):
        update(project)
    assert list(elsewhere.iterdir()) == []


def test_a_link_in_place_of_the_folder_of_plans_leaves_its_files(project: Project, place: Path, tmp_path: Path) -> None:
    elsewhere, plan = tmp_path / "elsewhere", make_plan(project)
    elsewhere.mkdir()
    place.mkdir(parents=True)
    (place / "plans").symlink_to(elsewhere)
    task = Task.objects.filter(parent=plan)[0]
    report = update_documents(scope=scope.of_task(task), level=Level.COMPREHENSIVE, actor=ACTOR)
    assert (report.written, list(report.left)) == (["STATUS.md"], [f"plans/{plan.public_id}.md"])
    assert list(elsewhere.iterdir()) == []


def test_without_a_folder_on_this_machine_it_is_invalid(project: Project, folder: Path) -> None:
    for path in ("", str(folder / "gone")):
        project.root_path = path
        with pytest.raises(Invalid) as caught:
            update(project)
        assert caught.value.details == {"reason": "no_folder"}


@pytest.mark.parametrize(("code", "kind"), [(errno.ENOSPC, Transient), (errno.EIO, Invalid)])
def test_what_the_disk_refuses_is_an_error_and_leaves_the_file(
    code: int, kind: type[Exception], project: Project, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    update(project)
    before = (place / "STATUS.md").read_bytes()
    make_plan(project)

    def refuse(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("artifacts.export.safe_writer.os.fsync", refuse)
    with pytest.raises(kind):
        update(project)
    assert (place / "STATUS.md").read_bytes() == before
    assert files(place) == ["STATUS.md"]


def test_a_file_that_may_not_be_written_is_left_and_the_others_are_written(
    project: Project, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_plan(project)
    write = Root.write

    def refuse(self: Root, file: str, *given: Any, **named: Any) -> None:
        if file == "STATUS.md":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        write(self, file, *given, **named)

    monkeypatch.setattr(Root, "write", refuse)
    report = update(project, Level.COMPREHENSIVE)
    assert (list(report.left), len(report.written)) == (["STATUS.md"], 1)


def test_a_person_who_may_only_read_does_not_write_files(project: Project, place: Path) -> None:
    reader = Actor(kind="person", name="bob", scopes=frozenset({Permission.READ}))
    with pytest.raises(Forbidden):
        update_documents(scope=scope.of_project(project), level=Level.BASIC, actor=reader)
    assert not place.exists()


def test_a_full_audit_reports_what_is_not_kept_in_step(project: Project, place: Path) -> None:
    plan = make_plan(project)
    prepared(place, b"# Mine\n", "NOTES.md")
    prepared(place, with_part(None, "An old plan.\n"), "plans/task_00000000.md")
    prepared(place, b"# Mine\n", f"plans/{plan.public_id}.md")
    report = update(project, Level.FULL_AUDIT)
    assert sorted(report.stale) == ["NOTES.md", "plans/task_00000000.md"]
    assert list(report.left) == [f"plans/{plan.public_id}.md"]


def test_git_sees_the_documents_and_nothing_of_how_they_are_written(project: Project, folder: Path) -> None:
    update(project)
    assert (folder / ".task_orchestrator" / "local" / ".gitignore").read_bytes() == b"*\n"
    assert files(folder / ".task_orchestrator" / "status") == ["STATUS.md"]
