"""What the model says: one turn for each tool result that it has been shown, with facts of those results filled in.

A turn may also have `usage`, in the vendor's own words, `errors`, the HTTP statuses that come before its answer, and
`while`, a pattern: it is repeated as long as its result matches that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

Json = dict[str, Any]
REFERENCE = re.compile(r"\{\{([\w.]+)\}\}")
BRIEF = re.compile(r"^Title: .* \((?P<task_id>\w+),|^The project is in (?P<folder>\S+)\.", re.MULTILINE)


class ScriptError(Exception):
    """The script cannot go on: a tool is not offered, or a fact was not shown."""


@dataclass(frozen=True, slots=True)
class Result:
    """A tool's result as the client showed it to the model."""

    tool: str
    text: str

    @property
    def facts(self) -> Json:
        """The JSON object in the text; clients put words of their own around it. Empty where there is none."""
        try:
            found, _ = json.JSONDecoder().raw_decode(self.text, self.text.index("{"))
        except ValueError:
            return {}
        return dict(found)


@dataclass(frozen=True, slots=True)
class Conversation:
    """A request as far as the script needs it: the tools by the client's own names, and their results so far.

    Where the model `writes_code`, that code finds our tools by their ends. `opening` is what the user said first.
    """

    offered: list[str]
    results: list[Result]
    writes_code: bool = False
    opening: str = ""

    def offered_name(self, tool: str) -> str:
        """Return the client's name for one of our tools: `mcp__board__` or the like before it.

        Raises ScriptError where it is not offered.
        """
        found = [name for name in ([tool] if self.writes_code else self.offered) if name.endswith(tool)]
        if not found:
            raise ScriptError(f"{tool} is not among the tools offered: {self.offered}")
        return min(found, key=len)


@dataclass(frozen=True, slots=True)
class Turn:
    """What the model says next: some text, and at most one call by the client's name for the tool."""

    text: str
    tool: str = ""
    arguments: Json | None = None
    usage: Json = field(default_factory=dict)
    errors: tuple[int, ...] = ()


def next_turn(script: list[Json], conversation: Conversation) -> Turn:
    """Return the turn after the results so far. Raises ScriptError where the script cannot go on."""
    if not conversation.offered:
        return Turn("A title")  # clients ask for one, or for a summary, in a conversation of its own
    planned = filled(_turn_after(script, conversation.results), [*_brief(conversation), *conversation.results])
    more = {"usage": planned.get("usage", {}), "errors": tuple(planned.get("errors", ()))}
    if "tool" not in planned:
        return Turn(planned["text"], **more)
    return Turn(planned.get("text", ""), conversation.offered_name(planned["tool"]), planned["arguments"], **more)


def _turn_after(script: list[Json], results: list[Result]) -> Json:
    place = 0
    for result in results:
        is_repeated = place < len(script) and re.search(script[place].get("while", "(?!)"), result.text)
        place += not is_repeated
    if place >= len(script):
        raise ScriptError(f"The script has no turn after {len(results)} results.")
    return script[place]


def _brief(conversation: Conversation) -> Iterator[Result]:
    """Show a script what a brief says: `{{brief.task_id}}`, and `{{brief.folder}}` where it names one."""
    if found := [each.groupdict() for each in BRIEF.finditer(conversation.opening)]:
        facts = {name: value for each in found for name, value in each.items() if value}
        yield Result("brief", json.dumps(facts))


def filled(value: Any, results: list[Result]) -> Any:
    """Put facts in place of `{{tool.key.0.key}}`: of that tool's latest result, or of the latest at all (`last`).

    A text that is nothing but a reference becomes the fact itself, whatever its type. Raises ScriptError.
    """
    if isinstance(value, dict):
        return {key: filled(each, results) for key, each in value.items()}
    if isinstance(value, list):
        return [filled(each, results) for each in value]
    if not isinstance(value, str):
        return value
    if whole := REFERENCE.fullmatch(value):
        return _fact(whole[1], results)
    return REFERENCE.sub(lambda found: str(_fact(found[1], results)), value)


def _fact(reference: str, results: list[Result]) -> Any:
    tool, *steps = reference.split(".")
    try:
        return reduce(_step, steps, _latest(tool, results).facts)
    except (LookupError, TypeError) as error:
        raise ScriptError(f"{reference} was not shown: {results[-1:]}") from error


def _step(found: Any, step: str) -> Any:
    return found[int(step) if isinstance(found, list) else step]


def _latest(tool: str, results: Iterable[Result]) -> Result:
    wanted = [result for result in results if tool == "last" or result.tool.endswith(tool)]
    return wanted[-1]
