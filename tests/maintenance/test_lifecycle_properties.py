"""Whatever is archived, restored, purged and imported in whatever order: in the end every row is as it was."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import pytest
from django.test import override_settings
from django.utils import timezone
from hypothesis import given, note
from hypothesis import strategies as st

from maintenance.exports import zipped
from maintenance.models import Tombstone
from maintenance.services import purge as purging
from maintenance.services.import_plan import import_plan
from maintenance.services.purge import purge
from orchestrator_site.kernel.errors import OrchestratorError
from tasks.choices import FINISHED
from tasks.identity.actor import Actor
from tasks.models import Task
from tasks.services.archive import archive, restore
from tests.factories import make_artifact
from tests.properties import all_rows, one_in, undone
from tests.tasks.test_properties_states import STEPS, Board, tree

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system()
_APART = ("Event", "SearchDocument", "SearchBacklog", "IdempotencyKey")
_FOLLOWING = {"updated_at", "active_at", "started_at", "review_comment", "completed_at"}
"""What parents may keep from following a single unfinished task."""


def rows(*, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    found = {name: of_table for name, of_table in all_rows().items() if name not in _APART}
    found["Task"] = [{name: row[name] for name in row if name not in without} for row in found["Task"]]
    return found


class Lifecycle(Board):
    """A board on which things have happened, with artifacts."""

    def begin(self, chance: Random) -> None:
        for number in range(3):
            self.plan(tree(reviewed=number == 0, deep=number != 1))
        for _ in range(chance.randrange(60)):
            act = chance.choice(STEPS)
            act(self, chance.choice(["claude", "cursor", "person"]), chance.randrange(1000), chance.randrange(1000))
        if chance.random() < 0.7:
            over = timezone.now() - timedelta(seconds=1)
            Task.objects.filter(lease_expires_at__isnull=False).update(lease_expires_at=over)
        for task in Task.objects.leaves().order_by("pk")[:4]:
            make_artifact(task, "One", "Two", paths=[f"docs/{task.pk}.md"])

    def step(self, chance: Random, *, singles_too: bool) -> None:
        tasks = Task.objects.select_related("project", "parent").order_by("pk")
        tops = [task for task in tasks if task.is_plan or singles_too or task.status in FINISHED]
        what = chance.choice(["archive", "archive", "restore", "purge", "import"])
        if chance.random() < 0.8:  # mostly what fits
            tops = [task for task in tops if (task.archived_at is None) == (what == "archive")]
            tops = [task for task in tops if task.is_plan or what != "purge"]
        exports = list(Tombstone.objects.filter(imported_at=None).order_by("pk"))
        task = chance.choice(tops) if tops else None
        note(f"{what} {task}")
        before = all_rows()
        try:
            if what == "import" and exports:
                self.bring_in(chance.choice(exports))
            elif what == "purge" and task:
                purge(task=task, actor=SYSTEM, confirmed=True)
            elif what in ("archive", "restore") and task:
                (archive if what == "archive" else restore)(task=task, actor=SYSTEM)
        except OrchestratorError:
            assert {**all_rows(), "Content": []} == {**before, "Content": []}

    def bring_in(self, tombstone: Tombstone) -> None:
        import_plan(project=self.project, export=zipped.folder() / tombstone.export_name, actor=SYSTEM)

    def bring_back_everything(self) -> None:
        while exports := list(Tombstone.objects.filter(imported_at=None).order_by("-pk")):
            self.bring_in(exports[0])  # what was purged last needs nothing that was purged before it
        archived = Task.objects.filter(archived_at__isnull=False).select_related("project").order_by("depth", "pk")
        while (task := archived.first()) is not None:
            restore(task=task, actor=SYSTEM)


@one_in(5)
@given(st.booleans(), st.integers(3, 25), st.randoms(use_true_random=True))
def test_in_any_order_nothing_is_lost(singles_too: bool, length: int, chance: Random) -> None:
    without = frozenset(_FOLLOWING) if singles_too else frozenset()
    at_once = patch.object(purging, "days_of", return_value=0.0)
    with TemporaryDirectory() as home, override_settings(ORCHESTRATOR_HOME=Path(home)), undone(), at_once:
        board = Lifecycle()
        board.begin(chance)
        before = rows(without=without)
        for _ in range(length):
            board.step(chance, singles_too=singles_too)
        board.bring_back_everything()
        assert rows(without=without) == before
