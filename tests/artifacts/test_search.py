"""orchestrator_search: what is found, where it is, and that any text may be asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unicodedata import normalize

import pytest
from django.db import connection

from artifacts.search.service import search
from tasks.models import Task
from tests.assistants import Assistant, subtask

Answer = dict[str, Any]


def deliver(ada: Assistant, work: str, *, title: str = "A", **more: Any) -> str:
    done = ada.complete(ada.plan(title)[title], detailed_work=work, **more)
    return str(done["artifact_info"]["artifact_id"])


def found(ada: Assistant, query: str, **more: Any) -> list[str]:
    """Return the ids of the hits: of the artifact, or of the task."""
    return [hit.get("artifact_id", hit["task_id"]) for hit in ada.call("search", query=query, **more).get("hits", [])]


def hit(ada: Assistant, query: str, **more: Any) -> Answer:
    (only,) = ada.call("search", query=query, **more)["hits"]
    assert isinstance(only, dict)
    return only


def test_tasks_are_found_by_title_description_context_and_id(ada: Assistant) -> None:
    made = ada.call(
        "plan_task",
        description="Renew the ledger",
        context="Everything is written in Fortran",
        subtasks=[subtask("Weigh the zebras", description="On brass scales")],
    )
    plan, task = made["parent_task_id"], made["subtasks"][0]["task_id"]
    assert found(ada, "zebras") == found(ada, "brass scales") == found(ada, task) == [task]
    assert found(ada, "fortran") == found(ada, "ledger") == [plan]


def test_a_task_is_reported_with_its_title_and_state(ada: Assistant) -> None:
    task = ada.plan("Weigh the zebras")["Weigh the zebras"]
    only = hit(ada, "zebras")
    assert (only["kind"], only["task_id"], only["title"]) == ("task", task, "Weigh the zebras")
    assert (only["status"], only["snippet"]) == ("pending", "Do Weigh the zebras")


def test_an_artifact_is_found_by_its_text_summary_and_paths(ada: Assistant) -> None:
    artifact = deliver(ada, "All about okapis.", summary="Seen in Epulu", file_paths=["notes/animals/shy-ones.md"])
    for query in ("okapis", "epulu", "shy-ones.md", "notes/animals", artifact):
        assert artifact in found(ada, query, kinds=["artifact"]), query


@pytest.mark.django_db(transaction=True)  # long works are indexed after it
@pytest.mark.parametrize("place", [0, 15_990, 16_001, 40_000])
def test_reading_from_the_offset_of_a_hit_shows_it(ada: Assistant, place: int) -> None:
    filler = "ünd so weiter 🎉 " * 3000
    artifact = deliver(ada, f"{filler[:place]} the needle is here. {filler}")
    only = hit(ada, "needle")
    text = ada.call("read_artifact", artifact_id=artifact, offset=only["offset"], limit=200)["text"]
    assert "needle" in text
    assert " ".join(text.split()).startswith(only["snippet"].strip("…").strip()[:60])


@pytest.mark.parametrize(
    "run",
    ["\u6f22\u5b57" * 1500, "x" * 3000, "-" * 3000, "\U0001f600" * 1500],
    ids=["han", "a letter", "a sign", "a picture"],
)
def test_after_a_run_without_spaces_a_hit_is_shown_where_it_is(ada: Assistant, run: str) -> None:
    deliver(ada, f"{run} the needle is here")
    assert "needle" in hit(ada, "needle")["snippet"]


def test_a_title_counts_for_more_than_a_text(ada: Assistant) -> None:
    ids = ada.plan("Paint the boat", "Sweep the floor")
    ada.call("update_task", task_id=ids["Sweep the floor"], description="Not in the boat. Near the quay, with a broom.")
    assert found(ada, "boat") == [ids["Paint the boat"], ids["Sweep the floor"]]


def test_every_word_counts_and_where_nothing_holds_all_some_do(ada: Assistant) -> None:
    both, one = deliver(ada, "Cats and dogs."), deliver(ada, "Cats alone.")
    assert found(ada, "cats dogs") == [both]
    answer = ada.call("search", query="cats unicorns")
    assert {row["artifact_id"] for row in answer["hits"]} == {both, one}
    assert answer["next"]


def test_phrases_beginnings_and_other_forms_of_a_word(ada: Assistant) -> None:
    artifact = deliver(ada, "The retrying of slow webhooks, naïve as it is.")
    for query in ('"slow webhooks"', "webh*", "retries", "naïve", "SLOW", "Webhook"):
        assert found(ada, query, kinds=["artifact"]) == [artifact], query
    assert found(ada, '"webhooks slow"') == []
    # Only SQLite's tokenizer knows letters without their accents; docs/tools.md says so.
    assert found(ada, "naive") == ([artifact] if connection.vendor == "sqlite" else [])


@pytest.mark.parametrize(
    "word",
    [normalize("NFD", "Việt"), "ab12" * 32, "İstanbul", "हिन्दी", "السَّلَامُ", "שָׁלוֹם", "don\u2019t"],
    ids=["marks", "long", "dotted", "hindi", "arabic", "hebrew", "apostrophe"],
)
def test_a_word_is_found_as_it_is_written(ada: Assistant, word: str) -> None:
    artifact = deliver(ada, f"There is {word} in it.")
    for query in (word, f'"is {word}"', f"there {word}"):
        answer = ada.call("search", query=query)
        assert [row.get("artifact_id") for row in answer.get("hits", [])] == [artifact] and "next" not in answer, query
        assert ada.call("search", query=query, in_artifact=artifact)["total"] == 1, query


@pytest.mark.django_db(transaction=True)
def test_an_artifact_is_one_hit_however_often_it_fits(ada: Assistant) -> None:
    artifact = deliver(ada, "needle " * 20_000)
    assert found(ada, "needle") == [artifact]


def test_an_edit_replaces_the_words_of_a_task(ada: Assistant) -> None:
    task = ada.plan("Zebras")["Zebras"]
    ada.call("update_task", task_id=task, title="Giraffes", description="Tall ones")
    assert found(ada, "giraffes") == [task]
    assert found(ada, "zebras") == []


def test_the_next_version_replaces_the_words_of_the_last(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    ada.complete(task, detailed_work="zebras " * 5000, summary="Stripes")
    ada.call("update_task", task_id=task, action="request_revision", reason="Fix it")
    artifact = ada.complete(task, detailed_work="giraffes", summary="Necks")["artifact_info"]["artifact_id"]
    assert found(ada, "giraffes") == [artifact]
    assert found(ada, "zebras") == found(ada, "stripes") == []


def test_a_summary_is_found_with_its_task_and_its_artifact(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    artifact = ada.complete(task, summary="About wombats")["artifact_info"]["artifact_id"]
    assert sorted(found(ada, "wombats")) == sorted([artifact, task])


def test_a_refused_call_leaves_no_words(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    ada.refused("complete_subtask", task_id=task, summary="x", detailed_work="zebras", next_action="blocked")
    assert found(ada, "zebras") == []


def test_kinds_narrow_what_is_found(ada: Assistant) -> None:
    task = ada.plan("Okapi")["Okapi"]
    done = ada.complete(task, detailed_work="Okapi", artifact_type="code")
    artifact = done["artifact_info"]["artifact_id"]
    assert found(ada, "okapi", kinds=["task"]) == [task]
    assert found(ada, "okapi", kinds=["artifact"]) == found(ada, "okapi", kinds=["code", "test"]) == [artifact]
    assert found(ada, "okapi", kinds=["design"]) == []


def test_a_task_narrows_it_to_itself_and_what_is_below(ada: Assistant) -> None:
    group = subtask("Group", subtasks=[subtask("Okapi one"), subtask("Okapi two")])
    made = ada.call("plan_task", description="A job", subtasks=[group, subtask("Okapi three")])
    ids = {row["title"]: row["task_id"] for row in made["subtasks"]}
    other = ada.plan("Okapi four")["Okapi four"]
    assert len(found(ada, "okapi", task_id=made["parent_task_id"])) == 3
    assert sorted(found(ada, "okapi", task_id=ids["Group"])) == sorted([ids["Okapi one"], ids["Okapi two"]])
    assert found(ada, "okapi", task_id=other) == [other]


def test_another_project_knows_nothing_of_it(ada: Assistant, tmp_path: Path) -> None:
    artifact = deliver(ada, "Okapis in Epulu")
    (tmp_path / "other").mkdir()
    eve = Assistant(tmp_path / "other")
    eve.call("initialize_session")
    assert found(eve, "okapis") == []
    assert eve.call("search", query="okapis unicorns")["total"] == 0
    assert eve.refused("search", query="okapis", in_artifact=artifact)["code"] == "not_found"
    assert found(ada, "okapis") == [artifact]


def test_words_of_a_filter_are_no_filter(ada: Assistant) -> None:
    ada.plan("Okapi")
    for query in ("p1", "scope:p1", "{scope}:p1", "r1 OR t1", "ktask"):
        assert "hits" not in ada.call("search", query=query), query


def test_answers_are_small_and_pages_show_everything_once(ada: Assistant) -> None:
    ada.plan(*[f"Okapi {number}" for number in range(60)], context="okapi " * 100)
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        outcome = ada.send("search", query="okapi", **cursor)
        assert len(outcome.text.encode()) < 2000
        answer = outcome.payload
        assert answer["total"] == 61
        seen += [row["task_id"] for row in answer["hits"]]
        if "cursor" not in answer:
            break
        cursor = {"cursor": answer["cursor"]}
    assert len(seen) == len(set(seen))
    assert set(seen) == set(Task.objects.values_list("public_id", flat=True))


def test_a_page_goes_on_where_the_last_ended_whatever_is_added(ada: Assistant) -> None:
    ada.plan(*[f"Okapi {number}{' and more' * number}" for number in range(20)])
    first, before = search("okapi", project=None, limit=5), search("okapi", project=None, limit=50)
    ada.plan(*[f"Zebra {number}" for number in range(50)])  # changes how rare the word is, and so every rank
    rest = search("okapi", project=None, limit=50, cursor=first.cursor_after(5))
    assert [hit.task for hit in first.hits + rest.hits] == [hit.task for hit in before.hits]
    assert rest.cursor_after(len(rest.hits)) is None


def test_a_cursor_is_for_its_own_search_alone(ada: Assistant) -> None:
    ada.plan(*[f"Okapi zebra {number}" for number in range(3)])
    cursor = ada.call("search", query="okapi", limit=1)["cursor"]
    for more in ({"query": "zebra"}, {"query": "okapi", "kinds": ["task"]}):
        assert ada.refused("search", cursor=cursor, **more)["message"].startswith("cursor:")
    for wrong in ("1", "all:00000000:nan:1", cursor + "0" * 30, cursor.replace("all", "some")):
        assert ada.refused("search", query="okapi", cursor=wrong)["code"] == "invalid"


@pytest.mark.parametrize(
    "query",
    ['"', "'", '"a" NEAR "b', "a AND", "OR NOT", "title:a", "a^2", "(((", "-x", "*", "a*b*", "%s %", "😀", "\\", "{}",
     "--; DROP TABLE artifacts_searchdocument", "a:*", "'x':*A & !y <-> z", "\u202e", "🏳️\u200d🌈 é", "漢字",
     "x" * 10_000, "word " * 2000],
)  # fmt: skip
def test_any_text_is_a_valid_query(ada: Assistant, query: str) -> None:
    deliver(ada, f"Before {query} after.")
    answer = ada.call("search", query=query)
    assert answer["total"] >= 0
    inside = ada.call("search", query=query, in_artifact=deliver(ada, f"Before {query} after.", title="B"))
    assert inside["total"] >= 1


@pytest.mark.parametrize("query", ["", "  \n", "a\x00b", "a\ud800", "x" * 10_001])
def test_what_no_text_holds_is_refused(ada: Assistant, query: str) -> None:
    assert ada.refused("search", query=query)["code"] == "invalid"


def test_nothing_found_says_what_to_do(ada: Assistant) -> None:
    answer = ada.call("search", query="unicorns")
    assert (answer["total"], bool(answer["next"])) == (0, True)
