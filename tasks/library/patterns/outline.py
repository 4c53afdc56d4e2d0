"""A finished plan as a template sees it: its steps without groups, and what each waits for. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import TopologicalSorter
from typing import Any


@dataclass(frozen=True, slots=True)
class Step:
    """A task of a plan by its id. `needs` are its own dependencies, `inherited` those of the groups it is in."""

    id: str
    title: str
    description: str = ""
    specialist: str = ""
    parent: str = ""
    is_group: bool = False
    is_cancelled: bool = False
    is_added: bool = False
    needs: tuple[str, ...] = ()
    inherited: tuple[str, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of a step in a template, such as `gates`, where they are not as usual."""


@dataclass(frozen=True)
class Outline:
    """A plan with its tasks in order. `keys` are of tasks by their ids, and `values` what its template was given."""

    id: str
    title: str
    steps: tuple[Step, ...]
    description: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kept(self) -> list[Step]:
        return [step for step in self.steps if not step.is_group and not step.is_cancelled]

    @property
    def added(self) -> list[Step]:
        return [step for step in self.kept if step.is_added]

    @property
    def cancelled(self) -> list[Step]:
        return [step for step in self.steps if not step.is_group and step.is_cancelled]

    @property
    def titles(self) -> list[str]:
        return [step.title for step in self.kept]

    @cached_property
    def needs(self) -> dict[str, list[str]]:
        """Return what each kept step waits for: of a group its steps, of a cancelled step what that waited for.

        A step names no need from a group or a cancelled step that waits for another of its needs anyway.
        """
        by_id = {step.id: step for step in self.steps}
        below: dict[str, list[str]] = {}
        for step in self.steps:
            below.setdefault(step.parent, []).append(step.id)
        leads_to = {step.id: below.get(step.id, []) if step.is_group else _all(step) for step in self.steps}
        reached: dict[str, set[str]] = {}
        needs: dict[str, list[str]] = {}
        above: dict[str, set[str]] = {}
        for each in TopologicalSorter(leads_to).static_order():
            step = by_id[each]
            found = {end for need in leads_to[each] for end in reached[need]}
            reached[each] = found if step.is_group or step.is_cancelled else {each}
            if each not in reached[each]:
                continue
            implied = set().union(*(above[need] for need in found)) - set(step.needs)
            above[each] = found.union(*(above[need] for need in found))
            needs[each] = [other.id for other in self.steps if other.id in found - implied]
        return needs


def _all(step: Step) -> list[str]:
    return [*step.needs, *step.inherited]
