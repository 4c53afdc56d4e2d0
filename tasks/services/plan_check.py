"""Check a plan before it is written, and report every mistake with its place and what is allowed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

from orchestrator_site.kernel.limits import check_texts
from tasks.choices import Complexity, Priority
from tasks.due import time_problems
from tasks.gates.definition import normalised
from tasks.models import Task
from tasks.roles import Catalogue

SUBTASKS_LIMIT = 2000
DEPENDENCIES_LIMIT = 200
PROBLEMS_LIMIT = 20
PATHS_LIMIT = 100
RESOURCES_LIMIT = 20
_ALLOWED = 20
_Problem = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Subtask:
    """A subtask of a request. `key` names it within the plan; `subtasks` make it a group.

    `gates` are as `tasks/gates/definition.py` describes them, `resources` names of the project's, `paths` what it plans
    to change; `due_at` and `not_before` are dates or times, as `tasks/due.py` takes them.
    """

    title: str
    description: str = ""
    specialist: str = ""
    key: str = ""
    dependencies: tuple[str, ...] = ()
    effort: str = ""
    complexity: str = ""
    priority: int | None = None
    context: str = ""
    review: bool | None = None
    gates: tuple[Any, ...] = ()
    paths: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    due_at: str = ""
    not_before: str = ""
    subtasks: tuple[Subtask, ...] = ()


@dataclass(slots=True)
class Draft:
    """A subtask in its place: `parent` is an index into the plan's list, `needs` are such indexes or outside ids."""

    spec: Subtask
    place: str
    parent: int | None
    depth: int
    needs: list[int | str] = field(default_factory=list)


def flatten(subtasks: Sequence[Subtask]) -> list[Draft]:
    """Return every subtask of a tree, depth first; without recursion, since a tree may be of any depth."""
    flat: list[Draft] = []
    stack = [(spec, f"subtasks[{n}]", None, 0) for n, spec in reversed(list(enumerate(subtasks)))]
    while stack and len(flat) <= SUBTASKS_LIMIT:
        spec, place, parent, depth = stack.pop()
        me = len(flat)
        flat.append(Draft(spec, place, parent, depth))
        below = [(child, f"{place}.subtasks[{n}]", me, depth + 1) for n, child in enumerate(spec.subtasks)]
        stack.extend(reversed(below))  # type: ignore[arg-type]
    return flat


def root_problems(description: str, context: str, complexity: str) -> list[_Problem]:
    problems = check_texts({"description": description, "context": context})
    if not description.strip():
        problems.append({"at": "description", "problem": "a plan needs a description"})
    if complexity not in Complexity.values:
        problems.append(_unknown("complexity_level", complexity, Complexity.values))
    return problems


def problems(draft: list[Draft], catalogue: Catalogue, resources: Collection[str] = ()) -> list[_Problem]:
    """Return what is wrong with the subtasks of a plan; `resources` are the names of the project's."""
    if not draft:
        return [{"at": "subtasks", "problem": "a plan needs at least one subtask"}]
    if len(draft) > SUBTASKS_LIMIT:
        return [{"at": "subtasks", "problem": f"more than {SUBTASKS_LIMIT:,} subtasks; plan the rest in a second call"}]
    found: list[_Problem] = []
    for entry in draft:
        found += _own_problems(entry, catalogue, resources)
        if len(found) >= PROBLEMS_LIMIT:
            break
    keys = Counter(entry.spec.key for entry in draft if entry.spec.key)
    found += [
        {"at": f"{entry.place}.key", "problem": f"the key {entry.spec.key[:64]!r} is used twice"}
        for entry in draft
        if keys[entry.spec.key] > 1
    ]
    return found[:PROBLEMS_LIMIT]


def references(draft: list[Draft]) -> list[str]:
    inside = _names(draft)
    return list({ref for entry in draft for ref in entry.spec.dependencies if ref not in inside and len(ref) <= 100})


def resolve(draft: list[Draft], outside: dict[str, Task]) -> list[_Problem]:
    """Fill in every `needs`; return the unknown dependencies, and a cycle where there is one."""
    inside = _names(draft)
    found: list[_Problem] = []
    for index, entry in enumerate(draft):
        for number, reference in enumerate(entry.spec.dependencies):
            place = f"{entry.place}.dependencies[{number}]"
            found += _resolve_one(index, entry, reference, place, inside, outside)
    if not found:
        found += _cycle(draft)
    return found[:PROBLEMS_LIMIT]


def _own_problems(entry: Draft, catalogue: Catalogue, resources: Collection[str]) -> list[_Problem]:
    spec, at = entry.spec, f"{entry.place}."
    found = check_texts({"title": spec.title, "description": spec.description, "context": spec.context}, at=at)
    found += check_texts({"key": spec.key, "estimated_effort": spec.effort}, at=at)
    if not spec.title.strip():
        found.append({"at": f"{at}title", "problem": "a subtask needs a title"})
    if not spec.description.strip():
        found.append({"at": f"{at}description", "problem": "a subtask needs a description"})
    if spec.specialist or not spec.subtasks:
        found += catalogue.problems_with(spec.specialist, at=f"{at}specialist_type")
    if spec.complexity and spec.complexity not in Complexity.values:
        found.append(_unknown(f"{at}complexity_level", spec.complexity, Complexity.values))
    if spec.priority is not None and spec.priority not in Priority.values:
        found.append(_unknown(f"{at}priority", spec.priority, Priority.labels))
    found += normalised(spec.gates, at=f"{at}gates")[1] if spec.gates else []
    found += _paths_problems(spec.paths, f"{at}file_paths")
    found += resource_problems(spec.resources, resources, f"{at}resources") if spec.resources else []
    if spec.resources and spec.subtasks:
        found.append({"at": f"{at}resources", "problem": "are for subtasks without subtasks of their own"})
    found += time_problems(spec.due_at, f"{at}due_at") + time_problems(spec.not_before, f"{at}not_before")
    if len(spec.dependencies) > DEPENDENCIES_LIMIT:
        found.append({"at": f"{at}dependencies", "problem": f"more than {DEPENDENCIES_LIMIT}"})
    return found


def _paths_problems(paths: Sequence[str], at: str) -> list[_Problem]:
    if len(paths) > PATHS_LIMIT:
        return [{"at": at, "problem": f"more than {PATHS_LIMIT}"}]
    return check_texts({f"{at}[{number}]": path for number, path in enumerate(paths)})


def resource_problems(names: Sequence[str], known: Collection[str], at: str) -> list[_Problem]:
    if len(names) > RESOURCES_LIMIT:
        return [{"at": at, "problem": f"more than {RESOURCES_LIMIT}"}]
    allowed = sorted(known)[:_ALLOWED]
    return [
        {"at": f"{at}[{number}]", "problem": f"this project has no resource {name[:64]!r}", "allowed": allowed}
        for number, name in enumerate(names)
        if name not in known
    ]


def _names(draft: list[Draft]) -> dict[str, list[int]]:
    keys: dict[str, list[int]] = {}
    titles: dict[str, list[int]] = {}
    for index, entry in enumerate(draft):
        if entry.spec.key:
            keys.setdefault(entry.spec.key, []).append(index)
        titles.setdefault(entry.spec.title.strip(), []).append(index)
    return titles | keys


def _resolve_one(
    index: int, entry: Draft, reference: str, place: str, inside: dict[str, list[int]], outside: dict[str, Task]
) -> list[_Problem]:
    fits = inside.get(reference) or inside.get(reference.strip())
    if fits and len(fits) > 1:
        return [{"at": place, "problem": f"{reference[:64]!r} is the title of several subtasks; give them keys"}]
    if not fits and reference not in outside:
        wrong = f"{reference[:64]!r} is not a key or title of this plan, nor a task of this project"
        return [{"at": place, "problem": wrong, "allowed": list(inside)[:_ALLOWED]}]
    need = fits[0] if fits else reference
    if need == index:
        return [{"at": place, "problem": "a task cannot depend on itself"}]
    if need not in entry.needs:
        entry.needs.append(need)
    return []


def _cycle(draft: list[Draft]) -> list[_Problem]:
    sorter: TopologicalSorter[int] = TopologicalSorter(dict.fromkeys(range(len(draft)), ()))
    needs: dict[int, list[int]] = {}
    for index, entry in enumerate(draft):
        inherited = [] if entry.parent is None else needs[entry.parent]
        needs[index] = [need for need in entry.needs if isinstance(need, int)] + inherited
        for need in needs[index]:
            sorter.add(need, index)  # turned round, so that a cycle is named from a task to what it waits for
    for index, entry in enumerate(draft):
        if entry.parent is not None:
            sorter.add(index, entry.parent)  # a group waits for its subtasks
    try:
        sorter.prepare()
    except CycleError as error:
        cycle = [draft[index] for index in error.args[1]]
        names = [entry.spec.key or entry.spec.title for entry in cycle[:12]]
        words = "dependency cycle: " + " → ".join(name[:64] for name in names)
        return [{"at": f"{cycle[0].place}.dependencies", "problem": words}]
    return []


def _unknown(at: str, value: object, allowed: Sequence[str]) -> _Problem:
    return {"at": at, "problem": f"unknown value {str(value)[:64]!r}", "allowed": list(allowed)}
