"""Saving contexts and deciding about them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from orchestrator_site.kernel.errors import Conflict, Forbidden, Invalid, Stale
from orchestrator_site.kernel.identity import Scope, with_included
from tasks.identity.actor import Actor
from tasks.library.contexts import reading
from tasks.library.contexts.choosing import Entry
from tasks.library.models import Context
from tasks.library.services import context_checks, contexts
from tasks.models import Event, Project
from tests.factories import make_project, make_session, make_task

PERSON = Actor(kind="person", name="ada")
FIRST = "Run the migrations before the tests, for the fixtures need every table that is there."
ALIKE = "Run the migrations before the tests, for fixtures need every table that is there now."
OTHER = "Never print secrets."
pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project()


def save(project: Project, name: str = "first", text: str = FIRST, actor: Actor = PERSON, **facts: Any) -> Context:
    return contexts.save_context(
        project=project, actor=actor, name=name, text=text, **{"specialist": "tester", **facts}
    )


def assistant(project: Project, *scopes: Scope) -> Actor:
    return Actor.assistant(make_session(project), with_included(scopes or (Scope.WRITE, Scope.REVIEW)))


def test_a_context_of_a_person_is_in_effect_for_ninety_days(project: Project) -> None:
    task = make_task(project)
    row = save(project, paths=["src/*"], words=["cache"], sources=[task.public_id])
    found = Context.objects.get()
    assert (found.state, found.sources, found.saved_by) == ("active", [task.public_id], "ada")
    assert found.expires_at and timedelta(days=89) < found.expires_at - timezone.now() <= timedelta(days=90)
    event = Event.objects.get()
    assert (event.verb, event.after["context_id"]) == ("edit_context", row.public_id)


def test_a_context_of_an_assistant_is_a_draft_whatever_it_may_do(project: Project) -> None:
    assert save(project, actor=assistant(project)).state == "draft"


@pytest.mark.parametrize(
    ("facts", "at"),
    [
        ({"name": "Two words"}, "name"),
        ({"name": ""}, "name"),
        ({"text": " \n"}, "text"),
        ({"text": "x" * 6_001}, "text"),
        ({"text": "a\x00"}, "text"),
        ({"specialist": "magician"}, "specialist_type"),
        ({"paths": ["a"] * 21}, "paths"),
        ({"paths": [" "]}, "paths[0]"),
        ({"words": ["x" * 201]}, "words[0]"),
        ({"sources": ["task_00000000"]}, "task_ids"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(project: Project, facts: dict[str, Any], at: str) -> None:
    with pytest.raises(Invalid) as caught:
        save(project, **facts)
    assert [problem["at"] for problem in caught.value.details["problems"]] == [at]
    assert not Context.objects.exists()


def test_a_source_of_another_project_is_unknown(project: Project) -> None:
    with pytest.raises(Invalid):
        save(project, sources=[make_task(make_project()).public_id])


@pytest.mark.parametrize("specialist", ["tester", ""])
def test_a_near_duplicate_is_refused_and_names_the_other(project: Project, specialist: str) -> None:
    first = save(project, specialist=specialist)
    with pytest.raises(Conflict) as caught:
        save(project, "second", ALIKE)
    assert caught.value.details == {"context_id": first.public_id}
    assert Context.objects.count() == 1


def test_one_for_all_is_compared_with_those_of_every_specialist(project: Project) -> None:
    first = save(project)
    with pytest.raises(Conflict) as caught:
        save(project, "second", ALIKE, specialist="")
    assert caught.value.details == {"context_id": first.public_id}


def test_one_for_all_is_compared_with_the_files_of_every_specialist(tmp_path: Path) -> None:
    file = tmp_path / ".task_orchestrator/contexts/tester/first.md"
    file.parent.mkdir(parents=True)
    file.write_text(FIRST)
    with pytest.raises(Conflict):
        save(make_project(root_path=str(tmp_path)), "second", ALIKE, specialist="")


def test_an_edit_that_makes_it_for_all_is_compared_with_those_of_every_specialist(project: Project) -> None:
    save(project)
    other = save(project, "second", ALIKE, specialist="architect")
    with pytest.raises(Conflict):
        contexts.edit_context(project=project, context=other, actor=PERSON, specialist="")


def test_files_are_read_before_the_transaction_of_a_change(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    outside, depths = len(connection.savepoint_ids), []

    def read(*_: Any) -> tuple[list[Entry], list[str]]:
        depths.append(len(connection.savepoint_ids))
        return [], []

    monkeypatch.setattr(reading, "read", read)
    first, second = save(project), save(project, "second", OTHER)
    contexts.edit_context(project=project, context=second, actor=PERSON, name="other")
    contexts.merge_contexts(project=project, into=first, others=[second], actor=PERSON)
    assert depths == [outside] * 4


def test_of_two_projects_that_save_for_the_site_at_once_the_second_is_refused(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(project, is_for_site=True)
    monkeypatch.setattr(contexts, "require_unlike", lambda *_, **__: None)  # which saw nothing yet
    with pytest.raises(Conflict):
        save(make_project(), text=OTHER, is_for_site=True)
    assert Context.objects.count() == 1


def test_a_near_duplicate_for_another_specialist_or_project_is_none(project: Project) -> None:
    save(project)
    save(project, "second", ALIKE, specialist="architect")
    save(make_project(), "second", ALIKE)


def test_a_dismissed_one_is_not_compared_with(project: Project) -> None:
    contexts.dismiss_context(project=project, context=save(project), actor=PERSON)
    assert save(project).state == "active"


def test_two_drafts_that_say_the_same_are_one_too_many(project: Project) -> None:
    save(project, actor=assistant(project))
    with pytest.raises(Conflict):
        save(project, "second", ALIKE, actor=assistant(project))


def test_a_name_is_taken_once_for_each_specialist(project: Project) -> None:
    save(project)
    with pytest.raises(Conflict):
        save(project, text=OTHER)
    assert save(project, text=OTHER, specialist="architect").state == "active"


def test_a_draft_takes_effect_when_a_reviewer_accepts_it(project: Project) -> None:
    draft = save(project, actor=assistant(project))
    with pytest.raises(Forbidden):
        contexts.accept_context(project=project, context=draft, actor=assistant(project, Scope.WRITE))
    assert contexts.accept_context(project=project, context=draft, actor=PERSON).state == "active"
    with pytest.raises(Conflict):
        contexts.accept_context(project=project, context=draft, actor=PERSON)


def test_a_draft_that_repeats_what_came_into_effect_since_is_not_accepted(project: Project) -> None:
    draft = save(project, actor=assistant(project))
    save(project, "second", ALIKE)
    with pytest.raises(Conflict):
        contexts.accept_context(project=project, context=draft, actor=PERSON)


def test_an_edit_changes_what_is_given_and_says_so(project: Project) -> None:
    row = save(project, words=["cache"])
    edited = contexts.edit_context(project=project, context=row, actor=PERSON, text=OTHER)
    assert (edited.text, edited.words, edited.name) == (OTHER, ["cache"], "first")
    assert Event.objects.filter(after__fields=["text"]).count() == 1


def test_an_edit_that_changes_nothing_leaves_no_event(project: Project) -> None:
    row = save(project)
    contexts.edit_context(project=project, context=row, actor=PERSON, text=FIRST)
    assert Event.objects.count() == 1


def test_an_edit_is_checked_against_the_row_as_it_is(project: Project) -> None:
    def refuse(row: Context) -> None:
        raise Stale(row.name)

    with pytest.raises(Stale):
        contexts.edit_context(project=project, context=save(project), actor=PERSON, guard=refuse, text=OTHER)


def test_an_edit_to_a_near_duplicate_is_refused(project: Project) -> None:
    save(project)
    other = save(project, "second", OTHER)
    with pytest.raises(Conflict):
        contexts.edit_context(project=project, context=other, actor=PERSON, text=ALIKE)


def test_whoever_may_write_may_dispute_and_a_reviewer_takes_it_back(project: Project) -> None:
    row, writer = save(project), assistant(project, Scope.WRITE)
    assert contexts.dispute_context(project=project, context=row, actor=writer).is_disputed
    with pytest.raises(Forbidden):
        contexts.dispute_context(project=project, context=row, actor=writer, is_disputed=False)
    assert not contexts.dispute_context(project=project, context=row, actor=PERSON, is_disputed=False).is_disputed


def test_renewing_with_the_clock_set_back_shortens_nothing(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    row = save(project)
    before = timezone.now()
    monkeypatch.setattr(context_checks.timezone, "now", lambda: before - timedelta(days=400))
    assert contexts.renew_context(project=project, context=row, actor=PERSON).expires_at == row.expires_at


def test_a_merge_appends_with_sources_and_dismisses_the_others(project: Project) -> None:
    one, two = make_task(project), make_task(project)
    first = save(project, words=["a"], sources=[one.public_id])
    second = save(project, "second", OTHER, words=["b"], sources=[two.public_id])
    merged = contexts.merge_contexts(project=project, into=first, others=[second], actor=PERSON)
    assert merged.text.startswith(FIRST) and OTHER in merged.text
    assert second.public_id in merged.text and two.public_id in merged.text
    assert (merged.words, merged.sources) == (["a", "b"], [one.public_id, two.public_id])
    second.refresh_from_db()
    assert second.state == "dismissed"


def test_what_is_for_every_task_stays_so_when_something_narrow_is_merged(project: Project) -> None:
    merged = contexts.merge_contexts(
        project=project, into=save(project), others=[save(project, "second", OTHER, words=["b"])], actor=PERSON
    )
    assert merged.words == []


def test_a_merge_that_would_be_too_long_changes_nothing(project: Project) -> None:
    first = save(project, text="a" * 4_000)
    second = save(project, "second", "b" * 4_000)
    with pytest.raises(Invalid):
        contexts.merge_contexts(project=project, into=first, others=[second], actor=PERSON)
    assert set(Context.objects.values_list("state", flat=True)) == {"active"}


def test_more_than_can_be_merged_at_once_are_refused(project: Project) -> None:
    first, *others = [save(project, f"name-{number}", f"Say w{number}.") for number in range(22)]
    with pytest.raises(Invalid) as caught:
        contexts.merge_contexts(project=project, into=first, others=others, actor=PERSON)
    assert [each["at"] for each in caught.value.details["problems"]] == ["context_ids"]
    merged = contexts.merge_contexts(project=project, into=first, others=others[:20], actor=PERSON)
    assert "w20" in merged.text and "w21" not in merged.text


def test_one_of_the_project_is_not_merged_into_one_of_the_site_and_that_is_why(project: Project) -> None:
    of_site, row = save(project, is_for_site=True), save(project, "second", OTHER)
    with pytest.raises(Conflict, match="site"):
        contexts.merge_contexts(project=project, into=of_site, others=[row], actor=PERSON)


@pytest.mark.parametrize("case", ["itself", "another specialist", "another project", "dismissed"])
def test_what_does_not_belong_together_is_not_merged(project: Project, case: str) -> None:
    first = save(project)
    other = {
        "itself": lambda: first,
        "another specialist": lambda: save(project, text=OTHER, specialist="architect"),
        "another project": lambda: save(make_project(), text=OTHER),
        "dismissed": lambda: contexts.dismiss_context(
            project=project, context=save(project, "second", OTHER), actor=PERSON
        ),
    }[case]()
    with pytest.raises((Conflict, Invalid)):
        contexts.merge_contexts(project=project, into=first, others=[other], actor=PERSON)


def test_only_a_person_who_administers_changes_what_the_whole_site_has(project: Project) -> None:
    row = save(project, is_for_site=True)
    assert row.project is None
    for actor in (Actor(kind="person", name="bob", scopes=with_included([Scope.WRITE, Scope.REVIEW])),
                  Actor.assistant(make_session(project))):  # fmt: skip
        with pytest.raises(Forbidden):
            save(project, "second", OTHER, actor=actor, is_for_site=True)
        for change in (contexts.dismiss_context, contexts.renew_context, contexts.dispute_context):
            with pytest.raises(Forbidden):
                change(project=project, context=row, actor=actor)
