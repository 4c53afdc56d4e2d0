"""Lessons of completed tasks wait for a person, who makes them contexts, merges or dismisses them."""

from __future__ import annotations

import pytest

from orchestrator_site.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from orchestrator_site.kernel.identity import Scope, with_included
from tasks.identity.actor import Actor
from tasks.library.models import Context
from tasks.library.selectors.lessons import lesson_by_id, open_lessons
from tasks.library.services import lessons
from tasks.library.services.contexts import save_context
from tasks.models import Note, Project
from tests.assistants import Assistant
from tests.factories import make_project

PERSON = Actor(kind="person", name="ada")
WRITER = Actor(kind="assistant", name="bob", scopes=with_included([Scope.WRITE]))
LESSON = "WAL needs a local disk, not a share."
pytestmark = pytest.mark.django_db


@pytest.fixture
def note(ada: Assistant) -> Note:
    task_id = ada.plan("Build")["Build"]
    ada.complete(task_id, learned=[LESSON], decisions=["Use SQLite"])
    return Note.objects.select_related("task__project").get(kind="learned")


@pytest.fixture
def project(note: Note) -> Project:
    return note.task.project


def test_what_was_learned_waits_and_what_was_decided_does_not(project: Project, note: Note) -> None:
    assert list(open_lessons(project)) == [note]
    assert not open_lessons(make_project())


def test_an_accepted_lesson_is_a_context_of_its_specialist_with_its_source(project: Project, note: Note) -> None:
    row = lessons.accept_lesson(project=project, note=note, actor=PERSON)
    assert (row.state, row.specialist, row.text) == ("active", "implementer", LESSON)
    assert (row.sources, row.note) == ([note.task.public_id], note)
    assert not open_lessons(project)


def test_a_person_may_change_it_on_the_way(project: Project, note: Note) -> None:
    row = lessons.accept_lesson(
        project=project, note=note, actor=PERSON, name="wal", text="Mind the disk.", specialist="", words=["sqlite"]
    )
    assert (row.name, row.text, row.specialist, row.words) == ("wal", "Mind the disk.", "", ["sqlite"])


def test_a_reviewing_token_may_accept_and_it_takes_effect(project: Project, note: Note) -> None:
    reviewer = Actor(kind="assistant", name="bob", scopes=with_included([Scope.WRITE, Scope.REVIEW]))
    assert lessons.accept_lesson(project=project, note=note, actor=reviewer).state == "active"


def test_a_lesson_that_a_context_has_already_stays_open(project: Project, note: Note) -> None:
    save_context(project=project, actor=PERSON, name="wal", text=LESSON, specialist="implementer")
    with pytest.raises(Conflict):
        lessons.accept_lesson(project=project, note=note, actor=PERSON)
    assert list(open_lessons(project)) == [note]


def test_a_merged_lesson_is_in_the_text_with_its_source(project: Project, note: Note) -> None:
    into = save_context(project=project, actor=PERSON, name="disk", text="Disks.", specialist="")
    row = lessons.merge_lesson(project=project, note=note, into=into, actor=PERSON)
    assert LESSON in row.text and row.sources == [note.task.public_id]
    assert not open_lessons(project)


@pytest.mark.parametrize("text", ["   ", "a\x00", "x" * 6_001])
def test_a_lesson_is_not_merged_with_a_text_that_cannot_be_used(project: Project, note: Note, text: str) -> None:
    into = save_context(project=project, actor=PERSON, name="disk", text="Disks.", specialist="")
    with pytest.raises(Invalid) as caught:
        lessons.merge_lesson(project=project, note=note, into=into, actor=PERSON, text=text)
    assert [each["at"] for each in caught.value.details["problems"]] == ["text"]
    assert list(open_lessons(project)) == [note]


def test_a_dismissed_lesson_is_not_offered_again(project: Project, note: Note) -> None:
    assert lessons.dismiss_lesson(project=project, note=note, actor=PERSON).state == "dismissed"
    assert not open_lessons(project)
    with pytest.raises(NotFound):
        lesson_by_id(project, note.pk)


def test_a_lesson_is_decided_about_once(project: Project, note: Note) -> None:
    lessons.dismiss_lesson(project=project, note=note, actor=PERSON)
    with pytest.raises(Conflict):
        lessons.accept_lesson(project=project, note=note, actor=PERSON)
    assert Context.objects.count() == 1


def test_writing_alone_decides_nothing(project: Project, note: Note) -> None:
    into = save_context(project=project, actor=PERSON, name="disk", text="Disks.", specialist="")
    with pytest.raises(Forbidden):
        lessons.accept_lesson(project=project, note=note, actor=WRITER)
    with pytest.raises(Forbidden):
        lessons.merge_lesson(project=project, note=note, into=into, actor=WRITER)
    with pytest.raises(Forbidden):
        lessons.dismiss_lesson(project=project, note=note, actor=WRITER)
    assert list(open_lessons(project)) == [note]


@pytest.mark.parametrize("number", ["", "x", "-1", "٣", "9" * 30, "0"])
def test_what_is_no_number_of_a_lesson_is_not_found(project: Project, number: str) -> None:
    with pytest.raises(NotFound):
        lesson_by_id(project, number)
