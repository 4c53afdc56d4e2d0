"""The pages of contexts and lessons: what they show, to whom, and what their forms do."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from tasks.choices import NoteKind
from tasks.library.models import Context
from tasks.models import Note, Project
from tests.factories import html_of, make_context, make_project, make_task, signed_in
from tests.library.test_contexts_services import ALIKE, FIRST, OTHER, save

pytestmark = pytest.mark.django_db
HERE = "/projects/shop/library/contexts/"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project("shop", root_path=str(tmp_path))


@pytest.fixture
def ada(client: Client, project: Project) -> Client:
    return signed_in(client, is_staff=True)


@pytest.fixture
def lesson(project: Project) -> Note:
    task = make_task(project, specialist="tester", status="completed", paths=["src/a.py"])
    return Note.objects.create(task=task, kind=NoteKind.LEARNED, text=OTHER, actor_name="bob")


def at(row: Context) -> str:
    return f"{HERE}{row.public_id}/"


def lesson_at(note: Note) -> str:
    return f"/projects/shop/library/lessons/{note.pk}/"


def page_of(answer: Any) -> str:
    return str(answer.content.decode())


def seen_on(answer: Any) -> str:
    found = re.search(r'name="seen" value="([^"]+)"', page_of(answer))
    assert found
    return found[1]


def fields(**more: str) -> dict[str, str]:
    return {"name": "first", "text": FIRST, "specialist": "tester", "paths": "", "words": "", "do": "save", **more}


class TestList:
    def test_an_empty_library_says_how_to_begin(self, ada: Client) -> None:
        page = html_of(ada.get(HERE))
        assert ".task_orchestrator/contexts/" in page and "/library/new-context/" in page

    def test_rows_say_how_they_stand(self, ada: Client, project: Project) -> None:
        draft = make_context(project, state="draft")
        over = make_context(project, expires_at=timezone.now() - timedelta(days=1), used=2, unused=3)
        dismissed = make_context(project, state="dismissed")
        page = html_of(ada.get(HERE))
        assert f'id="{draft.public_id}" data-state="draft"' in page
        assert "Expired" in page.partition(f'id="{over.public_id}"')[2].partition("</tr>")[0]
        assert dismissed.public_id not in page

    def test_files_are_listed_and_broken_ones_are_named(self, ada: Client, project: Project) -> None:
        folder = Path(project.root_path) / ".task_orchestrator" / "contexts" / "tester"
        folder.mkdir(parents=True)
        (folder / "a.md").write_text("Use <tabs>.")
        (folder / "b.md").write_text("---\nbad: 1\n---\nx")
        page = html_of(ada.get(HERE))
        assert 'data-source=".task_orchestrator/contexts/tester/a.md"' in page and 'id="problems"' in page
        assert "&lt;tabs&gt;" in page

    def test_of_one_specialist_are_shown_with_those_for_all(self, ada: Client, project: Project) -> None:
        mine, every = make_context(project, specialist="tester"), make_context(project)
        other = make_context(project, specialist="architect")
        page = html_of(ada.get(f"{HERE}?specialist=tester"))
        assert mine.public_id in page and every.public_id in page and other.public_id not in page

    def test_the_page_of_a_specialist_leads_to_them(self, ada: Client) -> None:
        assert f"{HERE}?specialist=tester" in html_of(ada.get("/projects/shop/specialists/tester/"))

    def test_a_reader_sees_lessons_and_decides_nothing(self, client: Client, lesson: Note) -> None:
        page = html_of(signed_in(client).get(HERE))
        assert f'id="lesson-{lesson.pk}"' in page
        assert lesson_at(lesson) not in page and "new-context" not in page


class TestEdit:
    def test_a_new_one_is_in_effect(self, ada: Client) -> None:
        answer = ada.post("/projects/shop/library/new-context/", fields(words="cache\n\n invoices \r\n"))
        row = Context.objects.get()
        assert answer["Location"] == at(row)
        assert (row.state, row.words, row.paths) == ("active", ["cache", "invoices"], [])

    def test_what_was_typed_stays_when_it_is_refused(self, ada: Client, project: Project) -> None:
        row = save(project)
        answer = ada.post("/projects/shop/library/new-context/", fields(name="second", text=ALIKE))
        page = page_of(answer)
        assert answer.status_code == 409 and ALIKE in page and at(row) in page

    def test_mistakes_are_at_their_fields(self, ada: Client) -> None:
        page = page_of(ada.post("/projects/shop/library/new-context/", fields(name="Two words", paths="x" * 201)))
        assert 'id="name-errors"' in page and 'id="paths-errors"' in page

    def test_an_edit_keeps_what_is_not_changed(self, ada: Client, project: Project) -> None:
        row = save(project, words=["cache"])
        seen = seen_on(ada.get(f"{at(row)}edit/"))
        ada.post(f"{at(row)}edit/", fields(seen=seen, text=OTHER, words="cache"))
        row.refresh_from_db()
        assert (row.text, row.words, row.specialist) == (OTHER, ["cache"], "tester")

    def test_an_edit_of_what_changed_since_is_said_and_kept(self, ada: Client, project: Project) -> None:
        row = save(project)
        seen = seen_on(ada.get(f"{at(row)}edit/"))
        Context.objects.filter(pk=row.pk).update(saved_at=timezone.now(), saved_by="grace")
        answer = ada.post(f"{at(row)}edit/", fields(seen=seen, text=OTHER))
        assert answer.status_code == 412 and "grace" in page_of(answer) and OTHER in page_of(answer)
        assert ada.post(f"{at(row)}edit/", fields(seen=seen_on(answer), text=OTHER)).status_code == 302

    def test_only_an_administrator_is_offered_the_whole_site(self, ada: Client, client: Client) -> None:
        assert "is_for_site" not in html_of(ada.get("/projects/shop/library/new-context/"))
        owner = signed_in(Client(), name="owner", is_staff=True, is_superuser=True)
        owner.post("/projects/shop/library/new-context/", fields(is_for_site="on"))
        assert Context.objects.get().project is None


class TestVerbs:
    def test_each_does_what_it_says(self, ada: Client, project: Project) -> None:
        row = save(project, expires_at=timezone.now())
        for verb, column, value in (("dispute", "is_disputed", True), ("uphold", "is_disputed", False),
                                    ("dismiss", "state", "dismissed")):  # fmt: skip
            assert ada.post(f"{at(row)}act/{verb}/").status_code == 302
            assert getattr(Context.objects.get(), column) == value

    def test_a_draft_is_accepted(self, ada: Client, project: Project) -> None:
        row = make_context(project, state="draft")
        assert "act/accept/" in html_of(ada.get(at(row)))
        ada.post(f"{at(row)}act/accept/")
        assert Context.objects.get().state == "active"

    def test_one_that_came_too_late_is_said(self, ada: Client, project: Project) -> None:
        row = make_context(project)
        page = page_of(ada.post(f"{at(row)}act/accept/", follow=True))
        assert "conflict" in page

    def test_an_unknown_verb_is_not_found(self, ada: Client, project: Project) -> None:
        assert ada.post(f"{at(save(project))}act/forget/").status_code == 404

    def test_a_reader_may_not(self, client: Client, project: Project) -> None:
        assert signed_in(client).post(f"{at(save(project))}act/dismiss/").status_code == 403

    def test_the_chosen_ones_are_merged(self, ada: Client, project: Project) -> None:
        first, second, third = save(project), save(project, "second", OTHER), save(project, "third", "Draw boxes.")
        assert second.public_id in html_of(ada.get(f"{at(first)}merge/"))
        ada.post(f"{at(first)}merge/", {"context": [second.public_id]})
        assert OTHER in Context.objects.get(pk=first.pk).text
        assert Context.objects.get(pk=third.pk).state == "active"

    def test_merging_nothing_is_refused(self, ada: Client, project: Project) -> None:
        first = save(project)
        save(project, "second", OTHER)
        assert 'id="problem"' in page_of(ada.post(f"{at(first)}merge/"))


class TestLesson:
    def test_the_form_is_filled_from_the_lesson(self, ada: Client, lesson: Note) -> None:
        page = html_of(ada.get(lesson_at(lesson)))
        assert OTHER in page and "src/a.py" in page and '<option value="tester" selected>' in page

    def test_it_becomes_a_context_with_the_changes(self, ada: Client, lesson: Note) -> None:
        ada.post(lesson_at(lesson), fields(text="Never log secrets."))
        row = Context.objects.get()
        assert (row.text, row.note, row.sources) == ("Never log secrets.", lesson, [lesson.task.public_id])
        assert ada.get(lesson_at(lesson)).status_code == 404

    def test_a_near_duplicate_offers_the_other_to_merge_into(self, ada: Client, project: Project, lesson: Note) -> None:
        save(project, "other", "Draw boxes.")
        row = save(project)
        page = page_of(ada.post(lesson_at(lesson), fields(name="second", text=ALIKE)))
        assert f'<option value="{row.public_id}" selected>' in page
        ada.post(lesson_at(lesson), fields(do="merge", into=row.public_id, text=ALIKE))
        assert ALIKE in Context.objects.get(pk=row.pk).text

    def test_contexts_of_the_site_are_not_offered(self, ada: Client, project: Project, lesson: Note) -> None:
        row, of_site = save(project), save(project, "site", "Draw boxes.", is_for_site=True)
        page = html_of(ada.get(lesson_at(lesson)))
        assert f'<option value="{row.public_id}"' in page and f'<option value="{of_site.public_id}"' not in page

    def test_it_is_dismissed(self, ada: Client, lesson: Note) -> None:
        ada.post(lesson_at(lesson), {"do": "dismiss"})
        assert f'id="lesson-{lesson.pk}"' not in html_of(ada.get(HERE))

    def test_merging_into_nothing_is_not_found(self, ada: Client, lesson: Note) -> None:
        assert ada.post(lesson_at(lesson), fields(do="merge", into="context_0")).status_code == 404
