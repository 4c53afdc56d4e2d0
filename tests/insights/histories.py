"""A seeded history of a project, made through the services on a clock of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from django.utils import timezone

from orchestrator_site.kernel.errors import OrchestratorError
from tasks import roles
from tasks.choices import Status
from tasks.identity.actor import Actor
from tasks.models import Event, Task
from tasks.services import gates, leases, review, steer
from tasks.services.archive import archive
from tasks.services.claim import claim, claim_next
from tasks.services.complete import complete
from tasks.services.plan import Subtask, plan
from tasks.services.waive import waive
from tests.factories import make_project, make_session

ADA = Actor(kind="person", name="ada")
SPECIALISTS = ("implementer", "tester", "documenter")
CLIENTS = (("claude-code", "opus"), ("codex", "gpt"), ("gemini-cli", ""))
_GATES = [{"kind": "command", "name": "tests", "command": "tests"}]


class History:
    """A board, and a clock that goes on with every step. Events are dated by it, as rows of attempts are."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> None:
        self.now = datetime(2026, 1, 5, 8, tzinfo=UTC)
        monkeypatch.setattr(timezone, "now", lambda: self.now)
        self.project = make_project(settings={"lease_minutes": 600, "self_approval": True, **settings})
        who = [make_session(self.project, client_name=name, model=model) for name, model in CLIENTS]
        self.assistants = [Actor.assistant(session) for session in who]
        self._dated = 0
        self.date()

    def pass_time(self, **time: float) -> None:
        self.now += timedelta(**time)

    def date(self) -> None:
        """Date what happened since the last call: columns take the time of the machine by default."""
        new = Event.objects.filter(pk__gt=self._dated)
        new.update(created_at=self.now)
        self._dated = Event.objects.order_by("pk").values_list("pk", flat=True).last() or 0

    def does(self, act: Callable[..., Any], **arguments: Any) -> Any:
        """Call a service and date its events; what the board does not allow changes nothing."""
        try:
            return act(**arguments)
        except OrchestratorError:
            return None
        finally:
            self.date()

    def plan(self, *subtasks: Subtask, who: Actor = ADA) -> list[Task]:
        made = plan(
            project=self.project, actor=who, catalogue=roles.catalogue(self.project), description="Build it",
            subtasks=subtasks,
        )  # fmt: skip
        self.date()
        return made.tasks

    def live(self, seed: int, steps: int) -> None:
        """Let a number of random things happen, from some seconds to some hours apart."""
        chance = Random(seed)
        for _ in range(steps):
            self.pass_time(seconds=chance.choice([20, 400, 1_500, 6_000, 20_000]) + chance.randrange(900))
            chance.choice(_STEPS)(self, chance)


def leaf(key: str, *needs: str, specialist: str = "implementer", **more: Any) -> Subtask:
    return Subtask(title=key, description=key, specialist=specialist, key=key, dependencies=needs, **more)


def _plans(history: History, chance: Random) -> None:
    one, two, three = (chance.choice(SPECIALISTS) for _ in range(3))
    reviewed = chance.random() < 0.5
    parts = (leaf("c", specialist=three), leaf("d", "c", review=reviewed))
    history.plan(
        leaf("a", specialist=one, review=reviewed, complexity=chance.choice(["simple", "complex"])),
        leaf("b", "a", specialist=two, gates=_GATES if chance.random() < 0.3 else ()),
        Subtask(title="group", description="group", key="group", dependencies=("a",), subtasks=parts),
        leaf("e", "group"),
    )


def _claims(history: History, chance: Random) -> None:
    history.does(claim_next, project=history.project, actor=chance.choice(history.assistants))


def _completes(history: History, chance: Random) -> None:
    if task := _one(history, chance, Status.ACTIVE):
        outcome, reason = chance.choice([("completed", "")] * 5 + [("needs_revision", "Half"), ("blocked", "Why?")])
        arguments = {"task": task, "actor": ADA, "summary": "Done", "outcome": Status(outcome), "reason": reason}
        history.does(lambda: gates.completing(lambda _: complete(**arguments)))


def _judges(history: History, chance: Random) -> None:
    if task := _one(history, chance, *chance.choice([(Status.IN_REVIEW,), (Status.IN_REVIEW, Status.COMPLETED)])):
        verdict = chance.choice([review.approve, review.approve, review.request_revision])
        history.does(verdict, task=task, actor=ADA, reason="As I see it")


def _steers(history: History, chance: Random) -> None:
    verb = chance.choice(
        [steer.fail, steer.retry, steer.block, steer.unblock, steer.release, steer.cancel, waive, waive]
    )
    if task := _one(history, chance, *(sorted(set(Status) - {Status.COMPLETED, Status.PENDING}))):
        words = {"answer": "Yes"} if verb in (steer.retry, steer.unblock) else {"reason": "Because"}
        history.does(verb, task=task, actor=ADA, **words, **({"gate": "tests"} if verb is waive else {}))


def _takes_over(history: History, chance: Random) -> None:
    if task := _one(history, chance, Status.ACTIVE):
        history.does(claim, task=task, actor=chance.choice(history.assistants), take_over=True)


def _sweeps(history: History, chance: Random) -> None:
    history.does(leases.free_run_out, project=history.project)


def _archives(history: History, chance: Random) -> None:
    plans = Task.objects.filter(project=history.project, status=Status.COMPLETED).plans().on_board()
    if task := plans.first():
        history.does(archive, task=task, actor=ADA)


def _one(history: History, chance: Random, *statuses: Status) -> Task | None:
    tasks = Task.objects.filter(project=history.project, status__in=statuses).leaves().order_by("pk")
    return chance.choice(list(tasks) or [None])


_STEPS = (_plans, *[_claims] * 6, *[_completes] * 6, *[_judges] * 4, _steers, _takes_over, _sweeps, _archives)
