"""Change one member of a JSON document and keep every other character: comments, order, indentation.

A change is a list of `(start, end, replacement)`, so nothing else can move.
"""

from __future__ import annotations

import json
import re
from typing import Any

from orchestrator_site.connect.jsonc import Member, Node, parse
from orchestrator_site.kernel.errors import Invalid

Edit = tuple[int, int, str]
_BLANK = " \t"
# What belongs to a member on the rest of its line: blanks and comments that end on that line.
_REST_OF_LINE = re.compile(r"(?:[ \t]|/\*[^\n]*?\*/)*(?://[^\n\r]*)?")


def set_member(text: str, path: tuple[str, ...], value: Any) -> str:
    """Set the value at `path`, creating missing objects.

    Raises Malformed, or Invalid if a value on the path is not an object or a key is ambiguous.
    """
    node = parse(text)
    _require_object(node, "the file")
    for depth, key in enumerate(path):
        member = _only(node, key)
        if member is None:
            for outer in reversed(path[depth + 1 :]):
                value = {outer: value}
            return _apply(text, _insertion(text, node, key, value))
        node = member.value
        if depth + 1 < len(path):
            _require_object(node, key)
    if node.value == value:
        return text
    return _apply(text, [(node.start, node.end, _dump(text, value, _indent_at(text, node.start)))])


def remove_member(text: str, path: tuple[str, ...]) -> str:
    inner = parse(text)
    for key in path:
        node = inner
        found = _only(node, key) if node.is_object else None
        if found is None:
            return text
        last, inner = found, found.value
    end = (last.comma if last.comma >= 0 else last.value.end - 1) + 1
    edits: list[Edit] = [(*_whole_line(text, last.start, end), "")]
    index = node.members.index(last)
    if last.comma < 0 and index > 0:  # otherwise the comma before it would remain
        comma = node.members[index - 1].comma
        edits.append((comma, comma + 1, ""))
    return _apply(text, edits)


def _require_object(node: Node, name: str) -> None:
    if not node.is_object:
        kinds = {list: "an array", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
        raise Invalid(f"{name} must be an object, not {kinds.get(type(node.value), 'null')}.")


def _only(node: Node, key: str) -> Member | None:
    found = [member for member in node.members if member.key == key]
    if len(found) > 1:
        raise Invalid(f"{key} occurs more than once.")
    return found[0] if found else None


def _apply(text: str, edits: list[Edit]) -> str:
    for start, end, replacement in sorted(edits, reverse=True):
        text = text[:start] + replacement + text[end:]
    return text


# Insertion


def _insertion(text: str, node: Node, key: str, value: Any) -> list[Edit]:
    if not node.members:
        return [_first_member(text, node, key, value)]
    last = node.members[-1]
    before = text[: node.members[0].start]
    line = before.rstrip(_BLANK)
    if not line.endswith("\n"):  # the members follow the brace on its line
        return _behind(last, last.value.end, f" {_member(text, key, value, None)}")
    lead = before[len(line) :]
    at = _end_of_line(text, (last.comma if last.comma >= 0 else last.value.end - 1) + 1)
    return _behind(last, at, _newline(text) + lead + _member(text, key, value, lead))


def _behind(last: Member, at: int, new: str) -> list[Edit]:
    """Append after the last member, with a trailing comma if that one has it."""
    if last.comma >= 0:
        return [(max(at, last.comma + 1), max(at, last.comma + 1), f"{new},")]
    if at == last.value.end:
        return [(at, at, f",{new}")]
    return [(last.value.end, last.value.end, ","), (at, at, new)]


def _first_member(text: str, node: Node, key: str, value: Any) -> Edit:
    if _is_one_line(text):
        return (node.end - 1, node.end - 1, _member(text, key, value, None))
    outer = _indent_at(text, node.start)
    lead = outer + _unit(text)
    new = _newline(text) + lead + _member(text, key, value, lead)
    at = len(text[: node.end - 1].rstrip())
    closing = "" if "\n" in text[at : node.end] else _newline(text) + outer
    return (at, at, new + closing)


def _end_of_line(text: str, at: int) -> int:
    """Return the end of the comments on this line, or `at` if anything else follows on it."""
    match = _REST_OF_LINE.match(text, at)
    end = match.end() if match else at
    rest = text[end : end + 1]
    return end if rest in ("\n", "\r", "") else at


# Removal


def _whole_line(text: str, start: int, end: int) -> tuple[int, int]:
    """Extend the span to whole lines if it is alone on them, else to the blanks around it."""
    line_start = len(text[:start].rstrip(_BLANK))
    line_end = end + len(text[end:]) - len(text[end:].lstrip(_BLANK))
    begins = text[line_start - 1 : line_start] == "\n"
    if begins and text[line_end : line_end + 2] == "\r\n":
        return line_start, line_end + 2
    if begins and text[line_end : line_end + 1] == "\n":
        return line_start, line_end + 1
    return (start, line_end) if text[end - 1] == "," else (line_start, end)


# Formatting


def _member(text: str, key: str, value: Any, indent: str | None) -> str:
    return f"{json.dumps(key, ensure_ascii=False)}: {_dump(text, value, indent)}"


def _dump(text: str, value: Any, indent: str | None) -> str:
    if indent is None or _is_one_line(text):
        return json.dumps(value, ensure_ascii=False)
    lines = json.dumps(value, ensure_ascii=False, indent=_unit(text)).split("\n")
    return (_newline(text) + indent).join(lines)


def _indent_at(text: str, at: int) -> str:
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line[: len(line) - len(line.lstrip(_BLANK))]


def _unit(text: str) -> str:
    match = re.search(r'^([ \t]+)"', text, re.MULTILINE)
    return match[1] if match else "  "


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _is_one_line(text: str) -> bool:
    return "\n" not in text.strip() and not re.fullmatch(r"\s*\{\s*\}\s*", text)
