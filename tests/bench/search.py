"""Search and lists over 10,000 artifacts: works that differ, with common words and rare ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from django.db import transaction

from artifacts import storage
from artifacts.models import Artifact, ArtifactPath, ArtifactVersion, Kind
from artifacts.search.index import catch_up, index_tasks, note
from tasks.models import Task
from tests.bench import entry_points
from tests.bench.boards import Board
from tests.bench.context import Bench
from tests.bench.entry_points import Call, Failed
from tests.bench.figures import Figure, milliseconds, times

ARTIFACTS = 10_000
_VOCABULARY = 4_000
_WORDS = 200
_TOGETHER = 500
QUERIES = ("word7", "word3 word12", "invoice export", "rare471", "word1 word2 word3", '"sign in" team', "nothing here")
"""From one that fits nearly everything to one that fits nothing."""


def search(bench: Bench) -> Iterator[Figure]:
    """Common and rare words, and a list, in the process and over the pipe."""
    board = bench.board(1000)
    number = ARTIFACTS // (10 if bench.quick else 1)
    with transaction.atomic():
        deliver(board, number)
    with entry_points.both(bench.home, board.folder, toolsets="core,artifacts") as ways:
        for name, timed in ways:
            yield from _measured(f"{number:,} artifacts, {name}", timed.call, bench.runs(20), is_goal=name == "pipe")


def _measured(what: str, call: Call, runs: int, *, is_goal: bool) -> Iterator[Figure]:
    _check(call)
    samples = [spent for query in QUERIES for spent in milliseconds(_asking(call, query), runs=runs)]
    yield times(f"search, {what}", samples, goal=25 if is_goal else None)
    samples = milliseconds(lambda: call("list_artifacts"), runs=runs * 3)
    yield times(f"list of artifacts, {what}", samples, goal=10 if is_goal else None)
    samples = milliseconds(lambda: call("list_artifacts", path="src/team7"), runs=runs * 3)
    yield times(f"list of artifacts of a folder, {what}", samples, goal=10 if is_goal else None)


def _asking(call: Call, query: str) -> Callable[[], object]:
    return lambda: call("search", query=query)


def _check(call: Call) -> None:
    if call("search", query="rare471")["total"] != 1 or call("search", query="word1 word2")["total"] < 10:
        raise Failed("The search does not find what is there.")


def deliver(board: Board, number: int) -> None:
    """Store works directly, their words by the index's own way."""
    tasks = list(Task.objects.filter(project=board.project))
    index_tasks(tasks)
    chance = Random(number)
    words = [f"word{place}" for place in range(_VOCABULARY)]
    weights = [1 / (place + 1) for place in range(_VOCABULARY)]
    for start in range(0, number, _TOGETHER):
        texts = [
            " ".join([*chance.choices(words, weights, k=_WORDS), f"rare{place}"])
            for place in range(start, min(number, start + _TOGETHER))
        ]
        made = [_artifact(board, tasks[(start + place) % len(tasks)], start + place) for place in range(len(texts))]
        Artifact.objects.bulk_create(made)
        ArtifactVersion.objects.bulk_create(
            ArtifactVersion(
                artifact=artifact, number=1, content=storage.insert(storage.prepare(text)), actor_name="bench"
            )
            for artifact, text in zip(made, texts, strict=True)
        )
        ArtifactPath.objects.bulk_create(
            ArtifactPath(
                artifact=artifact,
                project_id=artifact.project_id,
                path=f"src/team{artifact.pk % 50}/file{artifact.pk}.md",
            )
            for artifact in made
        )
        note(artifact.pk * 2 + 1 for artifact in made)
    catch_up()


def _artifact(board: Board, task: Task, number: int) -> Artifact:
    summary = f"Work number {number}, as was asked for."
    return Artifact(
        public_id=f"artifact_{board.project.pk:02x}{number:06x}",
        project=board.project,
        task=task,
        kind=Kind.CODE,
        summary=summary,
    )
