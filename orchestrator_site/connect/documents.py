"""Read and change JSON and TOML configurations; every change is verified before it is returned."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from typing import Any

from orchestrator_site.connect import jsonc, jsonc_edit, toml_edit
from orchestrator_site.connect.clients import Style
from orchestrator_site.connect.entries import Change
from orchestrator_site.kernel.errors import Invalid

_BOM = "\ufeff"


def load(text: str, style: Style) -> dict[str, Any]:
    """Parse a configuration, which may be empty. Raises Malformed, or Invalid if it is not an object."""
    text = text.removeprefix(_BOM)
    if style.is_toml:
        return toml_edit.load(text)
    if not text.strip():
        return {}
    value = jsonc.parse(text).value
    if not isinstance(value, dict):
        raise Invalid("The top level must be an object.")
    return value


def entry_in(text: str, style: Style) -> object:
    section = load(text, style).get(style.section)
    return section.get(style.path[-1]) if isinstance(section, dict) else None


def changed(text: str, style: Style, changes: Iterable[Change]) -> str:
    """Apply changes to a configuration, keeping everything else and any byte order mark.

    Raises Malformed, or Invalid if the position is ambiguous or anything else would change.
    """
    bom = _BOM if text.startswith(_BOM) else ""
    result = text.removeprefix(_BOM)
    if not result.strip() and not style.is_toml:
        result = "{}\n"
    expected = load(text, style)
    for path, value in changes:
        result = _change(result, style, path, value)
        expected = _expected(expected, path, value)
    if _without_empty(load(result, style), style) != _without_empty(expected, style):
        raise Invalid("This change would affect other settings.")
    return bom + result


def _change(text: str, style: Style, path: tuple[str, ...], value: Any) -> str:
    if value is ...:
        return (toml_edit.remove_member if style.is_toml else jsonc_edit.remove_member)(text, path)
    return (toml_edit.set_member if style.is_toml else jsonc_edit.set_member)(text, path, value)


def _expected(document: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """Apply the same change to the parsed values."""
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
    """An empty section equals a missing one; in TOML it disappears with its last table."""
    return {key: value for key, value in document.items() if key != style.section or value != {}}


def snippet(entry: dict[str, Any], style: Style) -> str:
    if style.is_toml:
        return toml_edit.set_member("", style.path, entry)
    return json.dumps({style.section: {style.path[-1]: entry}}, indent=2, ensure_ascii=False) + "\n"
