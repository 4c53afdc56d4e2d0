"""What a template that could be read still has to be: complete, free of circles, and at home in its project."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from graphlib import CycleError, TopologicalSorter

from tasks.library.templating.format import ITEM, PREVIOUS, Condition, Problem, Step, Template, Type
from tasks.library.templating.placeholders import names_in

Known = Collection[str] | None


def problems_of(template: Template, specialists: Known, commands: Known, resources: Known) -> list[Problem]:
    if not template.steps:
        return [Problem(1, "a template needs at least one step")]
    return [
        *_keys(template),
        *_needs(template),
        *_lists(template),
        *_placeholders(template),
        *_unused(template),
        *_gates(template),
        *_trait_names(template),
        *_at_home(template, specialists, commands, resources),
    ] or list(_circle(template))


def _keys(template: Template) -> Iterator[Problem]:
    seen: set[str] = set()
    lists = {step.key for step in template.steps if step.for_each}
    for step in template.steps:
        if step.key in seen:
            yield Problem(step.line, f"the key {step.key!r} is used twice")
        seen.add(step.key)
        before, _, number = step.key.rpartition("_")
        if before in lists and number.isdecimal():
            yield Problem(step.line, f"the key {step.key!r} is that of a task of {before!r}, which has for_each")


def _needs(template: Template) -> Iterator[Problem]:
    keys = [step.key for step in template.steps]
    known = set(keys)
    for step in template.steps:
        for need in step.needs:
            if need == PREVIOUS and not step.for_each:
                yield Problem(step.line, f"needs {PREVIOUS!r}, which only a step with for_each has")
            elif need == step.key:
                yield Problem(step.line, f"{step.key!r} needs itself; in a step with for_each, write {PREVIOUS!r}")
            elif need not in known and need != PREVIOUS:
                yield Problem(step.line, f"needs {need[:64]!r}, which is no step", tuple(keys[:20]))


def _circle(template: Template) -> Iterator[Problem]:
    """Find a circle, also through steps that a condition may leave out: what they need is handed on."""
    graph = {step.key: [need for need in step.needs if need != PREVIOUS] for step in template.steps}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = list(reversed(error.args[1]))
        first = next(step for step in template.steps if step.key == circle[0])
        yield Problem(first.line, f"needs go in a circle: {' → '.join(circle[:12])}")


def _lists(template: Template) -> Iterator[Problem]:
    lists = tuple(name for name, each in template.parameters.items() if each.type == Type.LIST)
    for step in template.steps:
        if step.for_each and step.for_each not in lists:
            yield Problem(step.line, f"for_each needs a parameter of type list, not {step.for_each!r}", lists)


def _placeholders(template: Template) -> Iterator[Problem]:
    allowed = tuple(template.parameters)
    for line, text, item in _texts(template):
        try:
            names = names_in(text)
        except ValueError as error:
            yield Problem(line, str(error))
            continue
        for name in names:
            if name == ITEM and not item:
                yield Problem(line, f"{{{ITEM}}} is only there in a step with for_each", allowed)
            elif name != ITEM and name not in template.parameters:
                yield Problem(line, f"{{{name[:64]}}} is not declared", allowed)


def _texts(template: Template) -> Iterator[tuple[int, str, bool]]:
    """Yield every text that may hold placeholders, with its line and whether it may name the item."""
    yield template.title_line, template.title, False
    yield template.description_line, template.description, False
    for step in template.steps:
        for text in (step.title, step.description, step.effort, step.context, *step.paths):
            if text:
                yield step.line, text, bool(step.for_each)


def _unused(template: Template) -> Iterator[Problem]:
    used = {name for step in template.steps for name in (step.for_each, *_names_of(step.condition))}
    for _, text, _ in _texts(template):
        try:
            used.update(names_in(text))
        except ValueError:
            return  # a text that cannot be read may use any of them
    for name, about in template.parameters.items():
        if name not in used:
            yield Problem(about.line, f"the parameter {name!r} is never used")


def _gates(template: Template) -> Iterator[Problem]:
    marks = [f"{{{name}}}" for name in (*template.parameters, ITEM)]
    for step in template.steps:
        texts = [text for gate in step.gates for text in (*gate.get("tests", ()), *gate.get("paths", ()))]
        if found := [mark for mark in marks if any(mark in text for text in texts)]:
            yield Problem(step.line, f"gates hold no placeholders, such as {found[0]}")


def _names_of(condition: Condition | None) -> Iterator[str]:
    if condition is not None:
        yield condition.param
        for part in condition.parts:
            yield from _names_of(part)


def _trait_names(template: Template) -> Iterator[Problem]:
    keys = {step.key for step in template.steps}
    roles = {step.specialist for step in template.steps}
    for trait in template.traits:
        for kind, named, known in (("step", trait.steps, keys), ("specialist", trait.specialists, roles)):
            for name in named:
                if name not in known:
                    wrong = f"a trait is for the {kind} {name[:64]!r} of no step"
                    yield Problem(trait.line, wrong, tuple(sorted(known)[:20]))


def _at_home(template: Template, specialists: Known, commands: Known, resources: Known) -> Iterator[Problem]:
    for step in template.steps:
        yield from _unknown("specialist", step, step.specialist, specialists)
        for gate in step.gates:
            if command := gate.get("command"):
                yield from _unknown("command", step, command, commands)
        for name in step.resources:
            yield from _unknown("resource", step, name, resources)


def _unknown(kind: str, step: Step, name: str, known: Known) -> Iterator[Problem]:
    if known is not None and name not in known:
        yield Problem(step.line, f"{name[:64]!r} is no {kind} of this project", tuple(sorted(known)))
