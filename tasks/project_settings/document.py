"""The settings document as people send it: merge patches, YAML in and out, and what differs between two of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from orchestrator_site.kernel.errors import Invalid, TooLarge, invalid
from orchestrator_site.kernel.yaml_nodes import Broken, Node, compose, number
from tasks.project_settings.schema import BYTES_LIMIT, NAMED, SECTIONS, value_in

_DEPTH = 6
"""Objects in each other that the schema has; what is deeper is none of it, and not merged."""


class YamlDocument(dict[str, Any]):
    """What was read from YAML. It knows on which line everything is."""

    def __init__(self, node: Node) -> None:
        super().__init__(node.as_data(number))
        self._lines = dict(node.places("settings"))

    def locate(self, error: Invalid) -> None:
        """Add to each problem of an error the line that it is about."""
        for problem in error.details.get("problems", ()):
            place = str(problem["at"])
            while place and place not in self._lines:
                place = place[: max(place.rfind("."), place.rfind("["), 0)]
            problem["line"] = self._lines.get(place, 1)


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting whose value changes; None is its default."""

    name: str
    before: Any
    after: Any

    @property
    def words(self) -> tuple[str, str]:
        """Both values, each in one line of YAML."""
        return _in_words(self.name, self.before), _in_words(self.name, self.after)


def merged(document: dict[str, Any], patch: dict[str, Any], *, depth: int = _DEPTH) -> dict[str, Any]:
    """Return a document with a merge patch (RFC 7396): null removes, objects are merged, all else replaces."""
    result = dict(document)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict) and depth:
            kept = result.get(name)
            result[name] = merged(kept if isinstance(kept, dict) else {}, value, depth=depth - 1)
        else:
            result[name] = value
    return result


def read_yaml(text: str) -> YamlDocument:
    """Read a document. Raises Invalid, with the line, and TooLarge."""
    node = _composed(text)
    if node.pairs is None:
        raise invalid([{"at": "line 1", "problem": "must be an object, for example {}"}], next="Send one.")
    return YamlDocument(node)


def read_value(text: str, at: str) -> Any:
    """Read one setting from YAML, of which JSON is a part. Raises Invalid, with the line, and TooLarge."""
    return _composed(text, at=at).as_data(number)


def _composed(text: str, *, at: str = "") -> Node:
    if len(text.encode(errors="replace")) > BYTES_LIMIT:
        raise TooLarge(f"Settings may have {BYTES_LIMIT // 1024} KiB.", next="Send less.")
    try:
        return compose(text)
    except Broken as broken:
        place, why = (at, f"line {broken.line}: {broken.why}") if at else (f"line {broken.line}", broken.why)
        raise invalid([{"at": place, "problem": why}], next="Correct the YAML.") from broken


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[Difference]:
    """Return what differs, setting by setting, in the order of the schema; unknown ones last."""
    both = [Difference(name, value_in(before, path), value_in(after, path)) for name, path in _paths(before, after)]
    return [each for each in both if each.before != each.after]


def _in_words(name: str, value: Any) -> str:
    known = NAMED.get(name)
    if value is None:
        usual = known and (known.usual or (in_a_line(known.default) if known.default not in ([], {}) else ""))
        return f"default ({usual})" if usual else "nothing"
    return in_a_line(value)


def in_a_line(value: Any) -> str:
    """Return a value as YAML in one line."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10_000)
    return value if isinstance(value, str) else str(text).removesuffix("...\n").strip()


def _paths(*documents: dict[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield from ((name, setting.path) for name, setting in NAMED.items())
    sections = {section.name for section in SECTIONS}
    for name in sorted({name for document in documents for name in document} - NAMED.keys() - sections):
        yield name, (name,)
    for section in sorted(sections - {""}):
        groups = [group for document in documents if isinstance(group := document.get(section), dict)]
        for name in sorted({f"{section}.{each}" for group in groups for each in group} - NAMED.keys()):
            yield name, (section, name.partition(".")[2])
