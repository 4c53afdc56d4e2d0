"""Read and change JSON and TOML configurations; every change is verified before it is returned."""

from __future__ import annotations

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
    editor = toml_edit if style.is_toml else jsonc_edit
    expected = load(text, style)
    for path, value in changes:
        inner: Any = expected
        for key in path[:-1]:
            inner = inner.get(key, {}) if value is ... else inner.setdefault(key, {})
        if value is ...:
            result = editor.remove_member(result, path)
            inner.pop(path[-1], None)
        else:
            result = editor.set_member(result, path, value)
            inner[path[-1]] = value
    if _without_empty(load(result, style), style) != _without_empty(expected, style):
        raise Invalid("This change would affect other settings.")
    return bom + result


def _without_empty(document: dict[str, Any], style: Style) -> dict[str, Any]:
    """An empty section equals a missing one; in TOML it disappears with its last table."""
    return {key: value for key, value in document.items() if key != style.section or value != {}}


def snippet(entry: dict[str, Any], style: Style) -> str:
    if style.is_toml:
        return toml_edit.set_member("", style.path, entry)
    return json.dumps({style.section: {style.path[-1]: entry}}, indent=2, ensure_ascii=False) + "\n"
