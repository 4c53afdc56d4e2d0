"""Twenty questions about a project, made from its rows and answered by parsing the text of its handover alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from artifacts.models import Artifact, Kind
from maintenance.selectors.scope import of_project
from maintenance.services.handover import prepare
from tasks.choices import NoteKind, Status, Verb
from tasks.models import Dependency, Event, Note, Project, Task
from tasks.selectors import counts
from tests.maintenance import answers
from tests.maintenance.handovers import ANSWER, GOAL, QUESTION, REVIEWER, REVISION, rich_project

ID = r"(\w+)"
COVERAGE = 0.95
Facts = set[Any]


@dataclass(frozen=True, slots=True)
class Probe:
    """A question: the facts in the rows, and what the text says."""

    name: str
    truth: Callable[[Project], Facts]
    answer: Callable[[answers.Handover], Facts]


def _leaves(project: Project, *statuses: str) -> list[Task]:
    return list(Task.objects.filter(project=project, is_leaf=True, status__in=statuses))


def _ids(project: Project, *statuses: str) -> Facts:
    return {task.public_id for task in _leaves(project, *statuses)}


def _said(project: Project, verb: Verb, name: str) -> Facts:
    return {(e.task.public_id, e.after[name]) for e in Event.objects.filter(verb=verb, project=project) if e.task}


def _paths(project: Project) -> Facts:
    rows = Artifact.objects.filter(project=project).prefetch_related("paths").select_related("task")
    return {(path.path, each.task.public_id) for each in rows for path in each.paths.all()}


def _spoken(text: answers.Handover, pattern: str, part: int = 8) -> Facts:
    return {(f[1], said.words) for said in text.parts[part] if (f := re.match(pattern, said.line))}


def _dependencies(project: Project) -> Facts:
    rows = Dependency.objects.open().filter(task__status=Status.PENDING).select_related("task", "depends_on")
    return {(row.task.public_id, row.depends_on.public_id) for row in rows}


def _waited(text: answers.Handover) -> Facts:
    found = text.matching(7, rf'{ID} pending ".*": waits for (.*), since .*')
    return {(each[1], need) for each in found for need in each[2].split(", ")}


def _counts(text: answers.Handover) -> Facts:
    (line,) = text.matching(4, r"all: (.*)")
    return {(word.rsplit(" ", 1)[0], int(word.rsplit(" ", 1)[1])) for word in line[1].split(", ")}


def _decided(text: answers.Handover) -> Facts:
    found, lines = set(), text.parts[10]
    for place, said in enumerate(lines):
        if each := re.match(rf"{ID} decided", said.line):
            because = [more.words for more in lines[place + 1 : place + 3] if more.line == "because:"]
            found.add((each[1], said.words, *because))
    return found


def _rejected(text: answers.Handover) -> Facts:
    return {said.words for said in text.parts[10] if said.line == "instead of:"}


def _ended(project: Project, *verbs: Verb) -> Facts:
    """What became of each task, by its newest event."""
    newest = {e.task_id: e for e in Event.objects.filter(project=project, verb__in=_ENDINGS).order_by("id")}
    return {e.task.public_id for e in newest.values() if e.task and e.verb in verbs}


_ENDINGS = (Verb.COMPLETE, Verb.APPROVE, Verb.REQUEST_REVISION, Verb.CANCEL, Verb.FAIL)


def _outcomes(text: answers.Handover, words: str) -> Facts:
    return {found[1] for found in text.matching(9, rf'(?:{words}) {ID} ".*", \S+: .*')}


def _artifacts(text: answers.Handover) -> Facts:
    return {(f[2], int(f[3]), f[4]) for f in text.matching(11, rf"(.*): {ID} v(\d+) of {ID}, .*")}


PROBES = [
    Probe("1 goal", lambda project: {GOAL, "Tidy the wiki"}, lambda text: {said.words for said in text.parts[3]} - {
        "Amounts are in cents."
    }),
    Probe("2 done", lambda project: _ended(project, Verb.COMPLETE, Verb.APPROVE),
          lambda text: _outcomes(text, "done|delivered for review")),
    Probe("3 in hand", lambda project: {(t.public_id, t.lease_number) for t in _leaves(project, Status.ACTIVE)},
          lambda text: {(f[1], int(f[2])) for f in text.matching(5, rf'{ID} ".*": held by .*, lease (\d+) until .*')}),
    Probe("4 ready", lambda project: {t.public_id for t in Task.objects.filter(is_ready=True)},
          lambda text: {found[1] for found in text.matching(6, rf'{ID} \w+ ".*": .*')}),
    Probe("5 blocked and why",
          lambda project: {(t.public_id, t.reason) for t in _leaves(project, Status.BLOCKED, Status.FAILED)},
          lambda text: _spoken(text, rf"{ID} open (?:question|failure),")),
    Probe("6 questions", lambda project: _said(project, Verb.BLOCK, "reason"),
          lambda text: _spoken(text, rf"{ID} (?:open )?question,")),
    Probe("7 decisions with reasons",
          lambda project: {(n.task.public_id, n.text, n.because) for n in Note.objects.filter(kind=NoteKind.DECISION)},
          _decided),
    Probe("8 rejected", lambda project: {n.instead_of for n in Note.objects.exclude(instead_of="")}, _rejected),
    Probe("9 file to task", _paths,
          lambda text: {(f[1], f[2]) for f in text.matching(11, rf"([^(].*): \w+ v\d+ of {ID}, .*")}),
    Probe("10 artifact ids", lambda project: {a.public_id for a in Artifact.objects.filter(project=project)},
          lambda text: {each[0] for each in _artifacts(text)}),
    Probe("11 verification",
          lambda project: {a.public_id for a in Artifact.objects.filter(kind=Kind.TEST)}
          | {e.task.public_id for e in Event.objects.filter(verb=Verb.APPROVE) if e.task},
          lambda text: {f[1] for f in text.matching(12, rf"(?:test|approved) {ID}\b.*")}),
    Probe("13 next call", lambda project: {Task.objects.filter(project=project).ready()[0].public_id},
          lambda text: {f[1] for f in text.matching(2, rf"next: `orchestrator_execute_subtask\(task_id='{ID}'\)`")}),
    Probe("14 constraints", lambda project: {("review", "off"), ("self_approval", "on"), ("lease_minutes", "45")},
          lambda text: {(f[1], f[2]) for f in text.matching(14, rf"{ID}: (.*)")}),
    Probe("15 counts", lambda project: set(counts.of_project(project).items()), _counts),
    Probe("16 changes", lambda project: _ended(project, Verb.REQUEST_REVISION, Verb.CANCEL, Verb.FAIL),
          lambda text: _outcomes(text, "sent back|cancelled|failed")),
    Probe("17 reviewer's words",
          lambda project: {(t.public_id, t.review_comment) for t in _leaves(project, Status.NEEDS_REVISION)}
          | _said(project, Verb.REQUEST_REVISION, "comment"),
          lambda text: _spoken(text, rf"{ID} (?:open )?revision,")),
    Probe("18 order", _dependencies, _waited),
    Probe("19 versions", lambda project: {
        (a.public_id, a.version, a.task.public_id) for a in Artifact.objects.select_related("task")
    }, _artifacts),
    Probe("20 cursor", lambda project: {Event.objects.filter(project=project).latest("id").pk},
          lambda text: {int(text.head["as of"].split(",")[0].removeprefix("event "))}),
]  # fmt: skip
"""Of the twenty, 12 asks for a commit: nothing reports one."""


@pytest.fixture
def project(db: None, folder: Path) -> Project:
    project, _ = rich_project(folder)
    project.settings = {"self_approval": True, "lease_minutes": 45}
    project.save(update_fields=["settings"])
    return project


def test_the_text_answers_nearly_all_of_them_and_contradicts_none(project: Project) -> None:
    text = prepare(scope=of_project(project), actor=REVIEWER).text
    assert len(text) <= 8_000
    read = answers.read(text)
    assert read.digest_is_right
    found = {probe.name: (probe.truth(project), probe.answer(read)) for probe in PROBES}
    assert all(truth for truth, _ in found.values()), "each question needs data"
    assert {name: said - truth for name, (truth, said) in found.items() if said - truth} == {}
    known = sum(len(truth) for truth, _ in found.values())
    missing = {name: truth - said for name, (truth, said) in found.items() if truth - said}
    assert 1 - sum(map(len, missing.values())) / known >= COVERAGE, missing


def test_the_same_words_are_there_that_people_wrote(project: Project) -> None:
    text = answers.read(prepare(scope=of_project(project), actor=REVIEWER).text)
    words = {said.words for said in text.parts[8]}
    assert {QUESTION, ANSWER, REVISION, "Why a queue?"} <= words
