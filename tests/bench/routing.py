"""Suggestions of a specialist: how often they are right when predicted before learning, and how long they take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from random import Random
from time import perf_counter
from typing import NamedTuple
from unittest import mock

import yaml

from tasks.choices import Verb
from tasks.identity.actor import Actor
from tasks.insights.choices import Method
from tasks.insights.models import Score
from tasks.insights.routing.accuracy import Accuracy
from tasks.insights.routing.bayes import Counts
from tasks.insights.routing.predict import predict
from tasks.insights.routing.rules import signs_of
from tasks.insights.selectors.accuracy import accuracy_of
from tasks.insights.selectors.counts import lead_of_history
from tasks.insights.selectors.routing import suggest_specialist
from tasks.insights.services.learn import _Pupil, learn
from tasks.insights.services.suggestions import suggest
from tasks.models import Event, Project, Task
from tests.bench.context import Bench
from tests.bench.figures import Figure, milliseconds, times
from tests.mcp.stdio_client import ROOT

SEED = 7
LEAST = 0.6
SEEN = {
    "web shop", "mobile app", "embedded firmware", "infrastructure", "game", "payments", "desktop editor",
    "command line tool",
}  # fmt: skip
"""Boards whose titles were looked at when the rules were written. Others were measured while rules still changed."""
LATER = {"public trackers"}
"""Titles written later, measured first and looked at then, to make the rules more general."""
PACKAGED = ("architect", "debugger", "documenter", "implementer", "researcher", "reviewer", "tester")
_SHARES = (1, 3, 2, 10, 1, 1, 3)
_VERBS = {
    "architect": ("Design", "Define"), "debugger": ("Fix", "Debug"), "documenter": ("Document", "Describe"),
    "implementer": ("Add", "Build"), "researcher": ("Compare", "Evaluate"), "reviewer": ("Review", "Audit"),
    "tester": ("Test", "Cover"),
}  # fmt: skip
_LONG = 200
"""As many tasks of the large board, the last, have as many words in their descriptions."""
_OTHER_VERBS = ("Do", "Prepare", "Get through", "Take on", "Carry on with", "Look after")


class Title(NamedTuple):
    title: str
    description: str
    specialist: str


def routing(bench: Bench) -> Iterator[Figure]:
    """Accuracy on labelled titles and on a generated board, then times on a large one."""
    rows = yaml.safe_load((ROOT / "tests" / "insights" / "titles.yaml").read_text())
    Random(SEED).shuffle(rows)
    sets = {
        "labelled titles, boards the rules were written with": _titles(row for row in rows if row["board"] in SEEN),
        "labelled titles, public trackers": _titles(row for row in rows if row["board"] in LATER),
        "labelled titles, other boards": _titles(row for row in rows if row["board"] not in SEEN | LATER),
        "labelled titles": _titles(rows),
        "generated board": list(islice(generated(SEED), 600)),
    }
    for name, titles in sets.items():
        yield from _accuracy(name, titles)
    yield from _times(bench)


def generated(seed: int) -> Iterator[Title]:
    """Make titles of a project with words of its own: half begin with a verb that rules know, some with a wrong one.

    Each specialist has words of the trade, which make up two of five; the others are common to all.
    """
    chance = Random(seed)
    trade = {name: [_word(chance) for _ in range(40)] for name in PACKAGED}
    common = [_word(chance) for _ in range(400)]
    known = [verb for verbs in _VERBS.values() for verb in verbs]
    while True:
        name = chance.choices(PACKAGED, _SHARES)[0]
        verbs = chance.choices((_VERBS[name], _OTHER_VERBS, known), (50, 40, 10))[0]
        objects = [chance.choice(trade[name] if chance.random() < 0.4 else common) for _ in range(5)]
        yield Title(" ".join([chance.choice(verbs), *objects[:3]]), " ".join(objects[3:]), name)


def _word(chance: Random) -> str:
    return "".join(chance.choice("bdfgklmnprstvz") + chance.choice("aeiou") for _ in range(3))


def _titles(rows: Iterable[dict[str, str]]) -> list[Title]:
    return [Title(row["title"], row.get("description", ""), row["specialist"]) for row in rows]


def _accuracy(name: str, titles: Sequence[Title]) -> Iterator[Figure]:
    counts, scores = Counts(), dict[tuple[str, int], Score]()
    spent = []
    for title, description, specialist in titles:
        lead = lead_of_history(scores.values())
        begun = perf_counter()
        words = signs_of(title, description)
        found = predict((title, description), words, counts, PACKAGED, lead=lead, least=LEAST)
        spent.append((perf_counter() - begun) * 1000)
        for method, prediction in found.items():
            score = scores.setdefault((method, prediction.tenth), Score(method=method, tenth=prediction.tenth))
            score.add(prediction, specialist)
        counts.learn(specialist, words)
    for method in Method.values:
        yield _figure(f"{name}: {method}", accuracy_of(method, scores.values()))
    yield times(f"{name}: all methods, computing", spent, goal=2)


def _figure(what: str, found: Accuracy) -> Figure:
    low, high = found.interval or (0, 0)
    note = f"{found.right} of {found.n}, {low:.2f} to {high:.2f}; first two {found.first_two or 0:.2f}"
    if found.method not in (Method.MAJORITY, Method.KEYWORDS):
        note += f"; sure {1 - (found.abstained or 0):.2f}, right then {found.rate_when_sure or 0:.2f}"
        note += f"; calibration error {found.calibration_error or 0:.2f}"
    return Figure(what, found.rate or 0, "right", runs=found.n, note=note)


def _times(bench: Bench) -> Iterator[Figure]:
    size = bench.sizes[1]
    project = _project(size)
    begun, writing = perf_counter(), list[float]()
    with mock.patch.object(_Pupil, "write", _timed(_Pupil.write, writing)):
        while learn(project=project).has_more:
            pass
    note = f"at most {max(writing):,.0f} ms in a transaction"
    yield Figure(f"learn {size:,} planned tasks", perf_counter() - begun, "s", note=note)
    titles, actor = generated(SEED + 1), Actor.system("bench")
    what = f"suggestion on {size:,}"
    samples = milliseconds(lambda: suggest_specialist(project, *next(titles)[:2]), runs=bench.runs(100))
    yield times(f"{what}, asked", samples, goal=5)
    samples = milliseconds(lambda: _suggested(project, actor, next(titles)), runs=bench.runs(100))
    yield times(f"{what}, asked and noted", samples, goal=5)


def _timed(write: Callable[[_Pupil], None], spent: list[float]) -> Callable[[_Pupil], None]:
    def timed(pupil: _Pupil) -> None:
        begun = perf_counter()
        write(pupil)
        spent.append((perf_counter() - begun) * 1000)

    return timed


def _suggested(project: Project, actor: Actor, given: Title) -> None:
    suggest(project=project, actor=actor, title=given.title, description=given.description)


def _project(size: int) -> Project:
    chance = Random(SEED)
    words = [_word(chance) for _ in range(2_000)]
    project = Project.objects.create(slug="routing", name="Routing")
    root = Task.objects.create(project=project, public_id="task_routing", title="All", is_leaf=False)
    made = enumerate(islice(generated(SEED), size), start=1)
    while batch := list(islice(made, 2_000)):
        tasks = [
            Task(
                project=project, public_id=f"routing_{number:06x}", parent=root, root=root, depth=1, position=number,
                title=given.title,
                description=" ".join([given.description, *chance.choices(words, k=_LONG * (number > size - _LONG))]),
                specialist=given.specialist,
            )
            for number, given in batch
        ]  # fmt: skip
        Task.objects.bulk_create(tasks)
        Event.objects.bulk_create(
            Event(project=project, task=task, actor_kind="system", actor_name="bench", verb=Verb.PLAN) for task in tasks
        )
    return project
