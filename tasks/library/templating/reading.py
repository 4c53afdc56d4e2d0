"""Read a template from YAML: every mistake with its line and what is allowed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

from orchestrator_site.kernel.text import unstorable, visible
from orchestrator_site.kernel.yaml_nodes import Broken, Node, compose
from tasks.library.templating import checks
from tasks.library.templating.fields import Fields
from tasks.library.templating.format import (
    ITEM,
    NAME,
    NEEDS_LIMIT,
    PARAMETER_NAME,
    PARAMETERS_LIMIT,
    PREVIOUS,
    STEPS_LIMIT,
    TEXT_LIMIT,
    TRAITS_LIMIT,
    Parameter,
    Problem,
    Step,
    Template,
    Trait,
)
from tasks.library.templating.parameters import condition, parameter
from tasks.library.templating.traits import with_traits

Names = frozenset[str] | None
PROBLEMS_LIMIT = 20
KEPT = 100
TEMPLATE_KEYS = ("template", "version", "title", "when", "description", "parameters", "steps", "traits")
STEP_KEYS = (
    "key", "title", "description", "specialist", "needs", "if", "for_each", "priority", "complexity", "effort",
    "context", "review", "gates", "paths", "resources",
)  # fmt: skip
TRAIT_KEYS = ("to", "gates", "review")
TO_KEYS = ("specialist", "steps")


@dataclass(frozen=True, slots=True)
class Reading:
    """A template, or the problems for which there is none. `name` is there as soon as it could be read."""

    template: Template | None
    problems: tuple[Problem, ...] = ()
    name: str = ""


@lru_cache(maxsize=KEPT)
def read(text: str, *, specialists: Names = None, commands: Names = None, resources: Names = None) -> Reading:
    """Read a template, and check it against what a project has where that is given."""
    if len(text) > TEXT_LIMIT or len(text.encode(errors="replace")) > TEXT_LIMIT:
        return Reading(None, (Problem(1, f"larger than {TEXT_LIMIT // 1024} kB"),))
    for line, each in enumerate(text.split("\n"), 1):
        if why := unstorable(each):
            return Reading(None, (Problem(line, why),))
    fields = Fields([])
    try:
        template = _template(compose(text), fields)
    except Broken as broken:
        return Reading(None, (Problem(broken.line, broken.why),))
    found = fields.problems or checks.problems_of(template, specialists, commands, resources)
    if found:
        return Reading(None, _bounded(found), template.name)
    return Reading(template, name=template.name)


def _bounded(problems: Collection[Problem]) -> tuple[Problem, ...]:
    first = sorted(problems, key=lambda problem: problem.line)
    if more := first[PROBLEMS_LIMIT:]:
        first[PROBLEMS_LIMIT:] = [Problem(more[0].line, f"and {len(more)} more problems")]
    return tuple(Problem(each.line, visible(each.problem), each.allowed) for each in first)


def _template(node: Node, fields: Fields) -> Template:
    found = fields.mapping(node, TEMPLATE_KEYS, needed=("template", "title", "steps"))
    parameters = _parameters(found.get("parameters"), fields)
    steps = tuple(
        step for each in fields.nodes(found.get("steps"), STEPS_LIMIT) if (step := _step(each, parameters, fields))
    )
    traits = tuple(_trait(each, fields) for each in fields.nodes(found.get("traits"), TRAITS_LIMIT))
    return Template(
        name=fields.name(found.get("template"), NAME),
        title=fields.line(found.get("title"), 300),
        version=fields.line(found.get("version"), 40),
        when=fields.text(found.get("when"), 1000),
        description=fields.text(found.get("description")),
        parameters=parameters,
        steps=with_traits(steps, traits, fields),
        traits=traits,
        title_line=_line(found, "title"),
        description_line=_line(found, "description"),
    )


def _parameters(node: Node | None, fields: Fields) -> dict[str, Parameter]:
    found: dict[str, Parameter] = {}
    for name, value in fields.pairs(node, PARAMETERS_LIMIT):
        if not PARAMETER_NAME.fullmatch(name.text or "") or name.text == ITEM:
            fields.wrong(name, f"a parameter has a name of up to 40 lower-case letters, digits and _, and not {ITEM!r}")
        elif name.text is not None:
            found[name.text] = parameter(name.text, name.line, value, fields)
    return found


def _step(node: Node, parameters: dict[str, Parameter], fields: Fields) -> Step | None:
    found = fields.mapping(node, STEP_KEYS, needed=("key", "title", "description", "specialist"))
    key = fields.name(found.get("key"), NAME)
    if key == PREVIOUS:
        fields.wrong(node, f"{PREVIOUS!r} names the task before in a step with for_each, and no step")
    if not key:
        return None
    return Step(
        key=key,
        line=node.line,
        title=fields.line(found.get("title"), 300),
        description=fields.text(found.get("description")),
        specialist=fields.line(found.get("specialist"), 64),
        needs=fields.words(found.get("needs"), NEEDS_LIMIT),
        condition=condition(found["if"], parameters, fields) if "if" in found else None,
        for_each=fields.line(found.get("for_each"), 40),
        priority=fields.priority(found.get("priority")),
        complexity=fields.complexity(found.get("complexity")),
        effort=fields.line(found.get("effort"), 200),
        context=fields.text(found.get("context")),
        review=fields.boolean(found.get("review")),
        gates=fields.gates(found.get("gates")),
        paths=fields.words(found.get("paths"), 100),
        resources=fields.words(found.get("resources"), 20),
    )


def _trait(node: Node, fields: Fields) -> Trait:
    found = fields.mapping(node, TRAIT_KEYS, needed=("to",))
    to = found.get("to")
    named: dict[str, Node] = {}
    if to is not None and to.text != "all":
        named = fields.mapping(to, TO_KEYS)
        if not named:
            fields.wrong(to, "must say which steps", ("all", "{specialist: […]}", "{steps: […]}"))
    if fields.boolean(found.get("review")) is False:
        fields.wrong(found["review"], "a trait adds a review, and takes none away", ("true",))
    if "gates" not in found and "review" not in found:
        fields.wrong(node, "adds nothing", ("gates", "review"))
    return Trait(
        specialists=fields.words(named.get("specialist"), 100),
        steps=fields.words(named.get("steps"), STEPS_LIMIT),
        gates=fields.gates(found.get("gates")),
        review="review" in found,
        line=node.line,
    )


def _line(found: dict[str, Node], name: str) -> int:
    return found[name].line if name in found else 1
