"""Tasks with gates, and evidence for them."""

from __future__ import annotations

from typing import Any

from artifacts.services.deliver import Delivery, DeliveryRequest, deliver, prepare_delivery
from orchestrator_site.kernel.identity import EVERYTHING, Scope
from tasks.gates.definition import normalised
from tasks.gates.pieces import Piece
from tasks.identity.actor import Actor
from tasks.models import Project, Task
from tasks.services.challenge import challenge
from tasks.services.claim import claim
from tasks.services.gates import completing
from tests.factories import make_plan, make_project, make_session, make_task

COMMANDS = {"test": {"argv": ["make", "test"]}, "check": {"argv": ["make", "check"], "report": "build/junit.xml"}}
OBSERVER = frozenset({Scope.ATTEST, Scope.READ})


def gated(*gates: Any, project: Project | None = None, **fields: Any) -> Task:
    """Make a ready task with gates, in a project that names the commands `test` and `check`."""
    project = project or make_project(settings={"gates": {"commands": COMMANDS}})
    stored, problems = normalised(list(gates))
    assert not problems, problems
    return make_task(project, parent=make_plan(project, 0), gates=stored, is_ready=True, **fields)


def assistant(project: Project, **session: Any) -> Actor:
    return Actor.assistant(make_session(project, **session))


def observer(project: Project) -> Actor:
    return Actor.assistant(make_session(project), scopes=OBSERVER)


def person(name: str = "ada") -> Actor:
    return Actor(kind="person", name=name, scopes=EVERYTHING)


def claimed(task: Task, actor: Actor) -> Task:
    return claim(task=task, actor=actor).task


def complete(task: Task, actor: Actor, *evidence: Piece, **more: Any) -> Task:
    """Complete a task with some text, as the entry points do, and return it."""
    return delivered(task, actor, *evidence, **more).completion.task


def delivered(task: Task, actor: Actor, *evidence: Piece, **more: Any) -> Delivery:
    request = DeliveryRequest(summary="Done", text="All of it", evidence=evidence, **more)
    prepared = prepare_delivery(task=task, actor=actor, request=request)
    return completing(lambda look: deliver(prepared, look))


def observed(task: Task, gate: str = "test", **more: Any) -> Piece:
    """Return what an observer reports of a command that ended well, for the attempt that the task is in."""
    token = challenge(task=task, actor=observer(task.project), gate=gate).token
    return Piece(gate=gate, **{"facts": {"exit_code": 0}, "fingerprint": "a" * 64, "challenge": token, **more})


def junit(*cases: str, failed: tuple[str, ...] = (), skipped: tuple[str, ...] = ()) -> str:
    """Return a report of tests by name."""
    endings = dict.fromkeys(cases, "") | dict.fromkeys(failed, "<failure/>") | dict.fromkeys(skipped, "<skipped/>")
    rows = "".join(f'<testcase classname="tests.shop" name="{name}">{end}</testcase>' for name, end in endings.items())
    return f'<?xml version="1.0"?><testsuites><testsuite>{rows}</testsuite></testsuites>'
