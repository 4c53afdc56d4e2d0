"""The tool that merges the work of a run: seen first, then done, never in a checkout."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import OperationalError

from orchestrator_site.kernel.commits import unchanged, watched
from orchestrator_site.kernel.identity import Principal, Scope
from tasks.agents.models import Run
from tasks.agents.services import merge
from tasks.identity.actor import Actor
from tasks.models import Task
from tests.agents.collected import make_collected
from tests.agents.repositories import Shop, make_shop
from tests.assistants import Assistant

pytestmark = pytest.mark.django_db
MERGE = "merge_isolated_work"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return make_shop(tmp_path / "git")


@pytest.fixture
def ids(ada: Assistant) -> dict[str, str]:
    return ada.plan("A", "B")


def _run(ids: dict[str, str], shop: Shop, title: str = "A", number: int = 1, **files: str) -> Run:
    task = Task.objects.select_related("project").get(public_id=ids[title])
    return make_collected(task, shop, number, **(files or {"new.txt": "new\n"}))


def test_a_merge_is_seen_first_and_changes_nothing_until_it_is_asked_for(
    ada: Assistant, ids: dict[str, str], shop: Shop
) -> None:
    run = _run(ids, shop)
    before = shop.git("for-each-ref")
    answer = ada.call(MERGE, run_id=run.public_id)
    assert (answer["merged"], answer["files_total"]) == (False, 1)
    assert answer["target_before"] == run.base_commit
    assert "dry_run=false" in answer["next"]
    assert shop.git("for-each-ref") == before


@pytest.mark.parametrize("mode", [None, "merge"])
def test_what_was_seen_is_merged_into_a_branch_of_the_plan(
    ada: Assistant, ids: dict[str, str], shop: Shop, mode: str | None
) -> None:
    run, checkout = _run(ids, shop), shop.state()
    seen = ada.call(MERGE, run_id=run.public_id, mode=mode)
    done = ada.call(MERGE, run_id=run.public_id, mode=mode, dry_run=False, expected=seen["target_before"])
    assert done["merged"] is True
    assert shop.git("rev-parse", done["target"]) == done["commit"]
    assert shop.files(done["commit"])["new.txt"] == "new"
    assert shop.state() == checkout
    run.refresh_from_db()
    assert run.merged_commit == done["commit"]


def test_a_merge_that_is_sent_again_with_its_key_is_answered_alike(
    ada: Assistant, ids: dict[str, str], shop: Shop
) -> None:
    given = {"run_id": _run(ids, shop).public_id, "dry_run": False, "idempotency_key": "k"}
    first = ada.call(MERGE, **given)
    assert ada.call(MERGE, **given) == {**first, "replayed": True}
    assert ada.refused(MERGE, run_id=given["run_id"], dry_run=False)["code"] == "conflict"


def test_conflicts_are_named_and_nothing_is_merged(ada: Assistant, ids: dict[str, str], shop: Shop) -> None:
    first = _run(ids, shop, "A", 1, **{"a.txt": "mine\n"})
    second = _run(ids, shop, "B", 2, **{"a.txt": "yours\n"})
    ada.call(MERGE, run_id=first.public_id, dry_run=False)
    for dry_run in (True, False):
        answer = ada.call(MERGE, run_id=second.public_id, dry_run=dry_run)
        assert (answer["merged"], answer["conflicts"], answer["conflicts_total"]) == (False, ["a.txt"], 1)


def test_a_patch_is_fetched_elsewhere(ada: Assistant, ids: dict[str, str], shop: Shop) -> None:
    run = _run(ids, shop, **{"new.txt": "needle\n" * 1000})
    outcome = ada.send(MERGE, run_id=run.public_id, mode="patch")
    assert "needle" not in outcome.text
    assert outcome.payload["patch_bytes"] > 7000
    assert f"/api/v1/runs/{run.public_id}/patch" in outcome.payload["next"]


def test_a_target_that_moved_is_refused(ada: Assistant, ids: dict[str, str], shop: Shop) -> None:
    run = _run(ids, shop)
    shop.git("branch", "other")
    answer = ada.refused(MERGE, run_id=run.public_id, target="other", dry_run=False, expected="0" * 40)
    assert answer["code"] == "conflict"


def test_a_branch_that_is_checked_out_is_never_moved(ada: Assistant, ids: dict[str, str], shop: Shop) -> None:
    run = _run(ids, shop)
    assert ada.refused(MERGE, run_id=run.public_id, target="main", dry_run=False)["code"] == "conflict"


def test_merging_needs_review_and_looking_only_read(ada: Assistant, ids: dict[str, str], shop: Shop) -> None:
    run = _run(ids, shop)
    ada.caller.principal = Principal("eve", frozenset({Scope.READ, Scope.WRITE}))
    assert ada.call(MERGE, run_id=run.public_id)["files_total"] == 1
    assert ada.refused(MERGE, run_id=run.public_id, dry_run=False)["code"] == "forbidden"


def test_an_answer_about_many_conflicts_stays_under_a_kilobyte(ada: Assistant, ids: dict[str, str], shop: Shop) -> None:
    names = [f"{'folder' * 20}/{number}.txt" for number in range(40)]
    shop.commit(**dict.fromkeys(names, "one\n"))
    first = _run(ids, shop, "A", 1, **dict.fromkeys(names, "mine\n"))
    second = _run(ids, shop, "B", 2, **dict.fromkeys(names, "yours\n"))
    ada.call(MERGE, run_id=first.public_id, dry_run=False)
    outcome = ada.send(MERGE, run_id=second.public_id)
    assert outcome.payload["conflicts_total"] == 40
    assert len(outcome.text.encode()) <= 1024


def test_a_merge_whose_record_fails_is_not_called_no_change(
    ada: Assistant, ids: dict[str, str], shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OperationalError("database or disk is full")

    run = _run(ids, shop)
    monkeypatch.setattr(merge, "_note_merge", full)
    with watched():
        with pytest.raises(OperationalError):
            merge.merge_run(run=run, actor=Actor(kind="person", name="ada"), dry_run=False)
        assert unchanged() == ""
    assert f"orchestrator/merged/{run.plan.public_id}" in shop.git("for-each-ref")
