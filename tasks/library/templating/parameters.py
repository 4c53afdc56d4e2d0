"""The parameters of a template and the conditions on them, read from their nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from orchestrator_site.kernel.yaml_nodes import Node
from tasks.library.templating import patterns
from tasks.library.templating.fields import Fields
from tasks.library.templating.format import ITEMS_LIMIT, Condition, Parameter, Type, Value
from tasks.library.templating.values import LIMITS, Wrong, value_of

PARAMETER_KEYS = ("type", "description", "required", "default", "choices", "pattern", "max")
CONDITIONS = ("param", "equals", "in", "not", "all", "any")
PARTS_LIMIT = 20
_WITH_PATTERN = (Type.STRING, Type.LIST)


def parameter(name: str, line: int, node: Node, fields: Fields) -> Parameter:
    found = fields.mapping(node, PARAMETER_KEYS) if not node.is_null else {}
    kind = Type(fields.choice(found.get("type"), list(Type)) or Type.STRING)
    about = Parameter(
        name=name,
        line=line,
        type=kind,
        description=fields.text(found.get("description"), 1000),
        required=fields.boolean(found.get("required")) or False,
        choices=fields.words(found.get("choices"), ITEMS_LIMIT),
        pattern=_pattern(found.get("pattern"), kind, fields),
        max=_max(found.get("max"), kind, fields),
    )
    _check_choices(about, node, fields)
    if "default" not in found:
        return about
    if about.required:
        fields.wrong(found["default"], "a required parameter has no default")
    return replace(about, default=_typed(about, found["default"], fields))


def condition(node: Node, parameters: Mapping[str, Parameter], fields: Fields) -> Condition | None:
    """Read a condition: `{param: risk, equals: low}`, `{param: paths}`, `{not: …}`, `{all: […]}`, `{any: […]}`."""
    found = fields.mapping(node, CONDITIONS)
    values = [each for _, value in node.pairs or () for each in (value, *(value.items or ()))]
    if nulls := [each for each in values if each.is_null]:
        fields.wrong(nulls[0], "null is no value of a parameter")
        return None
    kinds = [kind for kind in CONDITIONS if kind in found]
    if kinds not in (["param"], ["param", "equals"], ["param", "in"], ["not"], ["all"], ["any"]):
        fields.wrong(node, "is no condition", ("param", "param with equals", "param with in", "not", "all", "any"))
        return None
    if "param" in found:
        return _on_parameter(found, kinds[-1], parameters, fields)
    nodes = [found["not"]] if kinds == ["not"] else fields.nodes(found[kinds[0]], PARTS_LIMIT)
    parts = tuple(part for each in nodes if (part := condition(each, parameters, fields)))
    if not parts:
        fields.wrong(node, f"{kinds[0]} needs a condition")
    return Condition(kinds[0], parts=parts)


def _on_parameter(
    found: Mapping[str, Node], kind: str, parameters: Mapping[str, Parameter], fields: Fields
) -> Condition | None:
    name = fields.line(found["param"], 64)
    about = parameters.get(name)
    if about is None:
        fields.wrong(found["param"], f"{name!r} is not declared", parameters)
        return None
    if kind == "param":
        return Condition(kind, name)
    if about.type == Type.LIST:
        fields.wrong(found[kind], "a list is only there or not: write {param: …} alone")
        return None
    nodes = [found["equals"]] if kind == "equals" else fields.nodes(found["in"], ITEMS_LIMIT)
    return Condition(kind, name, tuple(_typed(about, each, fields) for each in nodes))


def _typed(about: Parameter, node: Node, fields: Fields) -> Value:
    """Read a value that the template itself holds. What is no list in YAML stays a string, whatever it looks like."""
    try:
        return value_of(about, [item.text for item in node.items] if node.items is not None else node.text)
    except Wrong as wrong:
        fields.wrong(node, str(wrong), wrong.allowed)
        return None


def _pattern(node: Node | None, kind: Type, fields: Fields) -> str:
    text = fields.line(node, 1000)
    if node is None:
        return ""
    if kind not in _WITH_PATTERN:
        fields.wrong(node, f"a parameter of type {kind} has no pattern")
    elif why := patterns.problem_of(text):
        fields.wrong(node, why)
    else:
        return text
    return ""


def _check_choices(about: Parameter, node: Node, fields: Fields) -> None:
    if (about.type == Type.CHOICE) != bool(about.choices):
        fields.wrong(node, "choices and the type choice belong together")


def _max(node: Node | None, kind: Type, fields: Fields) -> int | None:
    if node is None or kind in LIMITS:
        return fields.integer(node, 1, LIMITS.get(kind, 1))
    fields.wrong(node, f"a parameter of type {kind} has no max")
    return None
