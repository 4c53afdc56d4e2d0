"""A template with values becomes subtasks: conditions decided, lists unrolled, placeholders replaced."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import chain

from orchestrator_site.kernel.limits import LIMITS
from orchestrator_site.kernel.text import shortened
from tasks.library.templating.format import ITEM, PREVIOUS, Condition, Step, Template, Value
from tasks.library.templating.placeholders import LINE_LIMIT, in_block, length_of, on_one_line
from tasks.services.plan_check import DEPENDENCIES_LIMIT, PATHS_LIMIT, SUBTASKS_LIMIT, Subtask

CHARACTERS_LIMIT = 4_000_000
"""Of all texts and paths of a plan: a short template can ask for a long value very often."""
Values = Mapping[str, Value]


class Unplannable(Exception):
    """With these values, a template asks for nothing, or for more than a plan may have."""


@dataclass(frozen=True, slots=True)
class Expansion:
    """What a template asks to plan. `left_out` are the keys of steps whose condition is false or whose list is empty.

    Subtasks are in the order of their steps; one of a step with `for_each` has the key `<step>_<number>`.
    """

    description: str
    subtasks: tuple[Subtask, ...]
    left_out: tuple[str, ...]


def expand(template: Template, values: Values) -> Expansion:
    """Return the plan of a checked template with checked values. Raises Unplannable before it gets too large."""
    items = {step.key: _items(step, values) for step in template.steps if _is_met(step.condition, values)}
    kept = {key: found for key, found in items.items() if found}
    left_out = tuple(step.key for step in template.steps if step.key not in kept)
    if not kept:
        raise Unplannable("with these, every step is left out: its condition is false or its list is empty")
    if sum(map(len, kept.values())) > SUBTASKS_LIMIT:
        raise Unplannable(f"with these, there are more than {SUBTASKS_LIMIT:,} subtasks")
    steps = [step for step in template.steps if step.key in kept]
    _require_short(template, steps, kept, values)
    needs = _needs(template, kept)
    subtasks = chain.from_iterable(_subtasks(step, kept[step.key], needs[step.key], values) for step in steps)
    title, more = on_one_line(template.title, values), in_block(template.description, values).strip()
    return Expansion(f"{title}\n\n{more}".strip(), tuple(subtasks), left_out)


def _require_short(
    template: Template, steps: Iterable[Step], kept: Mapping[str, tuple[str | None, ...]], values: Values
) -> None:
    left = CHARACTERS_LIMIT - length_of(template.description, values)
    for step in steps:
        items = kept[step.key]
        longest = _for(max(items, key=lambda item: len(item or "")), values)
        paths = list(_paths(step, longest))
        if len(paths) > PATHS_LIMIT:
            raise Unplannable(f"with these, {step.key!r} has more than {PATHS_LIMIT} paths")
        size = length_of(step.description, longest) + length_of(step.context, longest)
        left -= len(items) * (size + sum(length_of(path, its, most=LINE_LIMIT) for path, its in paths))
    if left < 0:
        raise Unplannable(f"with these, its texts have more than {CHARACTERS_LIMIT:,} characters")


def _items(step: Step, values: Values) -> tuple[str | None, ...]:
    """Return what a step is done for: once, or for each item of its list."""
    found = values[step.for_each] if step.for_each else (None,)
    return found if isinstance(found, tuple) else ()


def _is_met(condition: Condition | None, values: Values) -> bool:
    if condition is None:
        return True
    if condition.kind == "not":
        return not _is_met(condition.parts[0], values)
    if condition.parts:
        met = (_is_met(part, values) for part in condition.parts)
        return all(met) if condition.kind == "all" else any(met)
    value = values[condition.param]
    if condition.kind == "param":
        return value is not None and value is not False and value != () and value != ""
    return any(type(value) is type(each) and value == each for each in condition.values)


def _needs(template: Template, kept: Mapping[str, tuple[str | None, ...]]) -> dict[str, tuple[str, ...]]:
    """Return the keys of the subtasks that each step waits for; one that is left out hands on what it would need."""
    steps = {step.key: step for step in template.steps}
    found: dict[str, tuple[str, ...]] = {}
    graph = {step.key: [need for need in step.needs if need != PREVIOUS] for step in template.steps}
    for key in TopologicalSorter(graph).static_order():
        needs: dict[str, None] = {}
        for need in graph[key]:
            needs |= dict.fromkeys(keys_of(steps[need], len(kept[need])) if need in kept else found[need])
        if key in kept and len(needs) > DEPENDENCIES_LIMIT:
            raise Unplannable(f"with these, {key!r} waits for more than {DEPENDENCIES_LIMIT} subtasks")
        found[key] = tuple(needs)
    return found


def keys_of(step: Step, count: int) -> list[str]:
    """Return the keys of the subtasks that a step becomes."""
    return [f"{step.key}_{number}" for number in range(1, count + 1)] if step.for_each else [step.key]


def _subtasks(step: Step, items: tuple[str | None, ...], needs: tuple[str, ...], values: Values) -> Iterator[Subtask]:
    previous: tuple[str, ...] = ()
    for key, item in zip(keys_of(step, len(items)), items, strict=True):
        yield _subtask(step, key, (*needs, *previous), _for(item, values))
        previous = (key,) if PREVIOUS in step.needs else ()


def _for(item: str | None, values: Values) -> Values:
    return values if item is None else {**values, ITEM: item}


def _subtask(step: Step, key: str, needs: tuple[str, ...], values: Values) -> Subtask:
    return Subtask(
        title=shortened(on_one_line(step.title, values), LIMITS["title"]),
        description=in_block(step.description, values).strip(),
        specialist=step.specialist,
        key=key,
        dependencies=needs,
        effort=shortened(on_one_line(step.effort, values), LIMITS["effort"]),
        complexity=step.complexity,
        priority=step.priority,
        context=in_block(step.context, values).strip(),
        review=step.review,
        gates=step.gates,
        paths=tuple(line for path, its in _paths(step, values) if (line := on_one_line(path, its).strip())),
        resources=step.resources,
    )


def _paths(step: Step, values: Values) -> Iterator[tuple[str, Values]]:
    """Yield each path with its values: one that is nothing but a list, for each of its items."""
    for path in step.paths:
        name = path[1:-1]
        listed = values.get(name) if path == f"{{{name}}}" else None
        if isinstance(listed, tuple):
            yield from ((path, {name: each}) for each in listed)
        else:
            yield path, values
