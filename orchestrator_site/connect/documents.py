"""One door to both kinds of configuration, JSON and TOML, which proves every change before anybody may write it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from typing import Any

from orchestrator_site.connect import jsonc, jsonc_edit, toml_edit
from orchestrator_site.connect.clients import Style
from orchestrator_site.connect.entries import Change
from orchestrator_site.kernel.errors import Invalid

_MARK = "\ufeff"


def load(text: str, style: Style) -> dict[str, Any]:
    """Return what a configuration holds; nothing where it is empty. Raises Malformed, and Invalid for no object."""
    text = text.removeprefix(_MARK)
    if style.is_toml:
        return toml_edit.load(text)
    if not text.strip():
        return {}
    value = jsonc.parse(text).value
    if not isinstance(value, dict):
        raise Invalid("It holds no object, which a configuration must be.")
    return value


def entry_in(text: str, style: Style) -> object:
    """Return our entry of a configuration, None where there is none. Raises as `load`."""
    section = load(text, style).get(style.section)
    return section.get(style.path[-1]) if isinstance(section, dict) else None


def changed(text: str, style: Style, changes: Iterable[Change]) -> str:
    """Return the text after all changes. A mark at its beginning stays.

    Raises Malformed, and Invalid where the place cannot be told or anything else would change with it.
    """
    mark = _MARK if text.startswith(_MARK) else ""
    result = text.removeprefix(_MARK)
    if not result.strip() and not style.is_toml:
        result = "{}\n"
    expected = load(text, style)
    for path, value in changes:
        result = _change(result, style, path, value)
        expected = _expected(expected, path, value)
    if _without_empty(load(result, style), style) != _without_empty(expected, style):
        raise Invalid("The change cannot be made here without touching something else.")
    return mark + result


def _change(text: str, style: Style, path: tuple[str, ...], value: Any) -> str:
    if value is ...:
        return (toml_edit.remove_member if style.is_toml else jsonc_edit.remove_member)(text, path)
    return (toml_edit.set_member if style.is_toml else jsonc_edit.set_member)(text, path, value)


def _expected(document: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """Make the same change on the plain values."""
    document = copy.deepcopy(document)
    inner: Any = document
    for key in path[:-1]:
        inner = inner.get(key, {}) if value is ... else inner.setdefault(key, {})
    if value is ...:
        inner.pop(path[-1], None)
    else:
        inner[path[-1]] = value
    return document


def _without_empty(document: dict[str, Any], style: Style) -> dict[str, Any]:
    """An empty section says as much as none; in TOML it goes with its last table."""
    return {key: value for key, value in document.items() if key != style.section or value != {}}


def block(entry: dict[str, Any], style: Style) -> str:
    """Return a configuration that holds our entry alone, to be put in by hand."""
    if style.is_toml:
        return toml_edit.set_member("", style.path, entry)
    return json.dumps({style.section: {style.path[-1]: entry}}, indent=2, ensure_ascii=False) + "\n"
