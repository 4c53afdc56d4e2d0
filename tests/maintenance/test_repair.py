"""Repairs: each fault that has one is repaired, is not found again, and nothing else changes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core import serializers
from django.utils import timezone

from artifacts.models import Artifact, ArtifactVersion, Content, SearchBacklog
from maintenance.choices import Cause, Level
from maintenance.found import Found
from maintenance.selectors.scope import of_project
from maintenance.selectors.structure import check
from maintenance.services.repair import repair, repair_one
from orchestrator_site.kernel.errors import Conflict
from tasks.choices import Status, Verb
from tasks.identity.actor import Actor
from tasks.models import Dependency, Event, Project, Task
from tests.factories import make_project
from tests.maintenance import faults
from tests.maintenance.faults import ALL

pytestmark = pytest.mark.django_db
ACTOR = Actor(kind="person", name="ada")
TABLES = (Task, Dependency, Artifact, ArtifactVersion, Content, SearchBacklog)
REPAIRED = {
    "active_without_lease": {"status", "lease_expires_at", "updated_at", "active_at", "is_ready"},
    "ready_but_waiting": {"is_ready"},
    "not_marked_ready": {"is_ready"},
    "finished_group": {"status", "completed_at", "updated_at", "active_at", "started_at"},
    "unfinished_group": {"status", "completed_at", "updated_at", "active_at"},
    "leaf_with_children": {"is_leaf", "active_at"},
    "group_without_children": {"is_leaf", "is_ready"},
    "miscounted_chain": {"chain"},
    "inherited_is_missing": {"is_ready", "chain", "unblocks"},
    "inherited_is_left_over": {"is_ready", "chain", "unblocks"},
    "wrong_root": {"root"},
    "wrong_depth": {"depth"},
    "index_backlog": set[str](),
    "artifact_in_backlog": set[str](),
    "miscounted_content": {"size_lines"},
}
"""Faults with a repair, and the columns that it changes, with what follows from a status."""
ADVISED = sorted(ALL.keys() - REPAIRED.keys())


@pytest.fixture
def project() -> Project:
    return make_project()


def found(project: Project) -> list[Found]:
    return check(of_project(project), Level.FULL_AUDIT, timezone.now())


def rows() -> dict[tuple[str, Any], dict[str, Any]]:
    """Return all rows, by table and key."""
    return {
        (row["model"], row["pk"]): row["fields"]
        for table in TABLES
        for row in json.loads(serializers.serialize("json", table.objects.order_by("pk")))
    }


def changed_columns(before: dict[Any, dict[str, Any]], after: dict[Any, dict[str, Any]]) -> set[str]:
    both = before.keys() & after.keys()
    return {name for key in both for name, value in after[key].items() if before[key][name] != value}


@pytest.mark.parametrize("name", REPAIRED)
def test_a_repaired_fault_is_not_found_again(name: str, project: Project) -> None:
    ALL[name][1](project)
    changes = repair(project=project, found=found(project), actor=ACTOR)
    assert [(each["verb"], each["cause"], "conflict" in each) for each in changes] == [("repair", ALL[name][0], False)]
    assert found(project) == []


@pytest.mark.parametrize("name", REPAIRED)
def test_a_repair_changes_nothing_but_the_fault(name: str, project: Project) -> None:
    faults.leaves(project)
    ALL[name][1](project)
    findings, before = found(project), rows()
    repair(project=project, found=findings, actor=ACTOR)
    assert changed_columns(before, rows()) <= REPAIRED[name]


@pytest.mark.parametrize("name", REPAIRED)
def test_a_repair_leaves_an_event_with_who_and_what(name: str, project: Project) -> None:
    ALL[name][1](project)
    repair(project=project, found=found(project), actor=ACTOR)
    event = Event.objects.filter(project=project, verb=Verb.EDIT).get()
    assert (event.actor_name, event.after["repaired"]) == ("ada", ALL[name][0])


@pytest.mark.parametrize("name", REPAIRED)
def test_a_second_repair_of_the_same_finding_is_a_conflict_and_changes_nothing(name: str, project: Project) -> None:
    ALL[name][1](project)
    findings = found(project)
    repair(project=project, found=findings, actor=ACTOR)
    before, events = rows(), Event.objects.count()
    with pytest.raises(Conflict):
        repair_one(project=project, found=findings[0], actor=ACTOR)
    assert "conflict" in repair(project=project, found=findings, actor=ACTOR)[0]
    assert (rows(), Event.objects.count()) == (before, events)


@pytest.mark.parametrize("name", ADVISED)
def test_what_only_a_person_can_decide_is_left_alone(name: str, project: Project) -> None:
    ALL[name][1](project)
    findings, before = found(project), rows()
    assert repair(project=project, found=findings, actor=ACTOR) == []
    assert rows() == before


def test_a_claim_between_check_and_repair_wins(project: Project) -> None:
    faults.active_without_lease(project)
    findings = found(project)
    Task.objects.filter(status=Status.ACTIVE, is_leaf=True).update(lease_expires_at=timezone.now() + faults.OLD)
    assert "conflict" in repair(project=project, found=findings, actor=ACTOR)[0]
    assert Task.objects.filter(status=Status.ACTIVE, is_leaf=True).exists()


def test_a_finding_of_another_project_is_not_repaired(project: Project) -> None:
    faults.not_marked_ready(project)
    changes = repair(project=make_project(), found=found(project), actor=ACTOR)
    assert ["conflict" in each for each in changes] == [True]
    assert [each.cause for each in found(project)] == [Cause.READY_MARK]


def test_all_faults_at_once_are_repaired_and_the_others_stay(project: Project) -> None:
    for _, make in ALL.values():
        make(project)
    advised = [(each.cause, each.subject) for each in found(project) if not each.proposal]
    changes = repair(project=project, found=found(project), actor=ACTOR)
    assert [each for each in changes if "conflict" in each] == []
    assert [(each.cause, each.subject) for each in found(project)] == advised
