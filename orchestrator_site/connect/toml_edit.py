"""Change one member of a TOML document and keep the rest, including comments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tomlkit
from tomlkit.exceptions import ParseError, TOMLKitError
from tomlkit.items import InlineTable

from orchestrator_site.connect.jsonc import Malformed
from orchestrator_site.kernel.errors import Invalid


def load(text: str) -> dict[str, Any]:
    document: dict[str, Any] = _parse(text).unwrap()
    return document


def set_member(text: str, path: tuple[str, ...], value: Any) -> str:
    """Set the value at `path`. Raises Malformed, or Invalid if a value on the path is not a table."""
    document = _parse(text)
    table: Any = document
    for key in path[:-1]:
        table = table.get(key, {})
        if not isinstance(table, Mapping):
            raise Invalid(f"{key} must be a table.")
    is_inline = isinstance(table, InlineTable)
    if path[-1] not in table and isinstance(value, dict) and not is_inline:
        # A new table at the end cannot affect the others.
        end = "\r\n" if "\r\n" in text else "\n"
        gap = "" if not text else end if text.endswith("\n") else end * 2
        header = f"[{'.'.join(tomlkit.key(part).as_string() for part in path)}]\n"
        body: str = _item(value, is_inline=False).as_string()
        return text + gap + (header + body).replace("\n", end)
    table[path[-1]] = _item(value, is_inline=is_inline or len(path) > 2)
    return _dump(document, text)


def remove_member(text: str, path: tuple[str, ...]) -> str:
    document = _parse(text)
    table: Any = document
    for key in path[:-1]:
        table = table.get(key)
        if not isinstance(table, Mapping):
            return text
    if path[-1] not in table:
        return text
    del table[path[-1]]
    return _dump(document, text)


def _parse(text: str) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(text)
    except ParseError as error:
        reason = str(error).rpartition(" at line ")[0] or str(error)
        raise Malformed(error.line, error.col + 1, reason) from error
    except (TOMLKitError, ValueError) as error:
        raise Malformed(1, 1, str(error)) from error


def _item(value: Any, *, is_inline: bool) -> Any:
    """Format our entry as a table with inline tables in it, or all inline within an inline table."""
    if not isinstance(value, dict):
        return value
    table = tomlkit.inline_table() if is_inline else tomlkit.table()
    for key, item in value.items():
        table[key] = _item(item, is_inline=True)
    return table


def _dump(document: tomlkit.TOMLDocument, before: str) -> str:
    text = tomlkit.dumps(document)
    if "\r\n" in before and "\n" not in before.replace("\r\n", ""):
        return text.replace("\r\n", "\n").replace("\n", "\r\n")
    return text
