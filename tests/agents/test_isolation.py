"""Switching isolation on: by a person alone, with settings that are checked."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from orchestrator_site.kernel.errors import Forbidden, Invalid
from orchestrator_site.kernel.identity import Scope
from tasks.agents.models import Isolation
from tasks.agents.selectors.isolation import isolation_of
from tasks.agents.services.isolation import set_isolation
from tasks.agents.settings import IsolationSettings, parsed
from tasks.choices import Verb
from tasks.identity.actor import Actor
from tasks.models import Event
from tests.factories import make_project, make_session

pytestmark = pytest.mark.django_db
ADA = Actor(kind="person", name="ada")


def test_a_person_switches_it_on_with_an_event(tmp_path: Path) -> None:
    project = make_project(root_path=str(tmp_path))
    set_isolation(project=project, actor=ADA, is_on=True, settings={"agents": ["codex"], "cost_usd": "2.50"})
    is_on, settings = isolation_of(project)
    assert is_on
    assert (settings.agent, settings.cost_usd, settings.minutes) == ("codex", Decimal("2.50"), 30)
    event = Event.objects.get(verb=Verb.EDIT_PROJECT)
    assert event.after == {"isolation": {"is_on": True, "agents": ["codex"], "cost_usd": "2.50"}}


@pytest.mark.parametrize("kind", ["assistant", "system"])
def test_whatever_is_no_person_cannot(kind: str, tmp_path: Path) -> None:
    project = make_project(root_path=str(tmp_path))
    session = make_session(project) if kind == "assistant" else None
    with pytest.raises(Forbidden):
        actor = Actor(kind=kind, name="x", session=session)
        set_isolation(project=project, actor=actor, is_on=True, settings={})
    assert not isolation_of(project)[0]


def test_a_person_without_admin_cannot(tmp_path: Path) -> None:
    project = make_project(root_path=str(tmp_path))
    with pytest.raises(Forbidden):
        actor = Actor(kind="person", name="eve", scopes=frozenset({Scope.READ, Scope.WRITE, Scope.REVIEW}))
        set_isolation(project=project, actor=actor, is_on=True, settings={})


def test_a_project_without_a_folder_cannot_have_it() -> None:
    with pytest.raises(Invalid):
        set_isolation(project=make_project(), actor=ADA, is_on=True, settings={})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("agents", []), ("agents", "claude"), ("agents", ["claude\n"]), ("command", [""]), ("commands", [1]),
        ("commands", ["git diff:*"]),
        ("minutes", 0), ("minutes", True), ("minutes", "30"), ("turns", -1), ("parallel", 65), ("cost_usd", "much"),
        ("cost_usd", -1), ("cost_usd", "NaN"), ("cost_usd", "1e30"), ("rights", "all"), ("unjailed", "yes"),
        ("guidance", "x" * 20_001), ("base", "a\x00b"), ("unknown", 1),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named(name: str, value: Any) -> None:
    with pytest.raises(Invalid) as caught:
        parsed({name: value})
    assert [problem["at"] for problem in caught.value.details["problems"]] == [name]


def test_the_agent_command_requires_a_command() -> None:
    with pytest.raises(Invalid):
        parsed({"agents": ["command"]})


def test_settings_survive_being_stored() -> None:
    settings = parsed(
        {"agents": ["claude", "codex"], "setup": ["make", "deps"], "plan_cost_usd": 12.5, "rights": "deny"}
    )
    assert parsed(settings.stored()) == settings
    assert IsolationSettings().stored() == {}


def test_settings_that_another_version_stored_switch_it_off() -> None:
    project = make_project()
    Isolation.objects.create(project=project, is_on=True, settings={"of_later": 1})
    assert isolation_of(project) == (False, IsolationSettings())
