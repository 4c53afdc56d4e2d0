"""Draft a template from a finished plan. A person edits it before it is saved. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count, islice
from typing import Any

import yaml

from orchestrator_site.kernel.text import one_line, shortened, visible
from tasks.library.patterns import wording
from tasks.library.patterns.outline import Outline, Step
from tasks.library.templating.format import NEEDS_LIMIT, PARAMETERS_LIMIT, TEXT_LIMIT
from tasks.library.templating.placeholders import names_in

ADDED_OR_CANCELLED = 10
"""Titles that a comment of the draft names."""
_KEY_LENGTH = 40
_KEPT_OF_KEY = 60  # of one of an earlier template, so that a number fits behind it
_NAME_LENGTH = 60
_TITLE_LENGTH = 300
_EFFORT_LENGTH = 200
_PATH_LENGTH = 500
_TEXT_BUDGET = 48 * 1024  # bytes of all texts, since a template is small
_SHORTEST = 100  # characters of a text that was cut
_WORDED = ("title", "description", "effort", "context")
_BREAKS = frozenset("\x85\u2028\u2029")  # YAML would fold them as ends of lines
_RESERVED = frozenset({"previous", "item"})


@dataclass(frozen=True, slots=True)
class Draft:
    """A template as text. `parameters` are by the words that they replace; `added` and `cancelled` are titles."""

    name: str
    text: str
    parameters: dict[str, str]
    added: list[str]
    cancelled: list[str]
    is_shortened: bool


def drafted(plan: Outline, *, like: Sequence[Outline] = ()) -> Draft:
    """Draft a template from a plan; `like` are finished plans of the same shape, which show what is particular.

    Texts are cut until a template holds them, but not to nothing: a draft may still be larger than that.
    """
    names, longest = _parameters(plan, like), _longest(plan)
    draft = _drafted(plan, names, longest)
    while longest > _SHORTEST and len(draft.text.encode()) > TEXT_LIMIT:
        longest //= 2
        draft = _drafted(plan, names, longest)
    return draft


def _drafted(plan: Outline, names: Mapping[str, str], longest: int) -> Draft:
    say = wording.Wording(names)
    name = slug(plan.title, "plan", _NAME_LENGTH)
    head = {
        "template": name,
        "version": "1",
        "title": _line(plan.title, _TITLE_LENGTH, say),
        **({"description": say(_short(plan.description.strip(), longest))} if plan.description.strip() else {}),
    }
    steps = _steps(plan, say, longest)
    used = _used(names, [head, *steps])
    parameters = {
        parameter: {"type": "string", "required": True, "description": f"Such as {shortened(phrase, 80)}"}
        for phrase, parameter in used.items()
    }
    added, cancelled = [step.title for step in plan.added], [step.title for step in plan.cancelled]
    is_shortened = any(len(text) > longest for text in _texts(plan))
    comments = _comments(plan, added, cancelled, is_shortened=is_shortened)
    text = comments + _as_yaml({**head, **({"parameters": parameters} if used else {}), "steps": steps})
    return Draft(name, text, used, added, cancelled, is_shortened)


def slug(text: str, otherwise: str, length: int) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    return re.sub(r"^[^a-z]+", "", words)[:length].strip("_") or otherwise


def _parameters(plan: Outline, like: Sequence[Outline]) -> dict[str, str]:
    """Return the names of parameters by what they replace: what the template was given, what differs, what recurs."""
    others = [outline.titles for outline in like]
    titles = [plan.title, *plan.titles]
    given = wording.values_said(plan.values, titles, [*titles, *_texts(plan)])
    found = wording.differing(titles, [[outline.title, *outline.titles] for outline in like])
    found += wording.recurring(titles, usual=[title for other in others for title in other])
    phrases = [phrase for phrase in dict.fromkeys(found) if not wording.overlaps(phrase, given)][: wording.PHRASES]
    found_names = {**given, **wording.named(phrases, taken={*plan.values, *_RESERVED})}
    return dict(islice(found_names.items(), PARAMETERS_LIMIT))


def _used(names: Mapping[str, str], parts: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the parameters that the texts of a template name: those that are not would be refused."""
    texts = [text for part in parts for name in _WORDED for text in (part.get(name, ""), *part.get("paths", ()))]
    used = {name for text in texts for name in names_in(text)}
    return {phrase: name for phrase, name in names.items() if name in used}


def _steps(plan: Outline, say: wording.Wording, longest: int) -> list[dict[str, Any]]:
    keys = _keys(plan, say)
    return [
        {
            "key": keys[step.id],
            "title": _line(step.title, _TITLE_LENGTH, say),
            "description": say(_short(step.description.strip() or one_line(step.title), longest)),
            "specialist": step.specialist,
            **({"needs": [keys[need] for need in plan.needs[step.id][:NEEDS_LIMIT]]} if plan.needs[step.id] else {}),
            **_more(step, say, longest),
        }
        for step in plan.kept
    ]


def _more(step: Step, say: wording.Wording, longest: int) -> dict[str, Any]:
    found = dict(step.more)
    if "effort" in found:
        found["effort"] = _line(found["effort"], _EFFORT_LENGTH, say)
    if "paths" in found:
        found["paths"] = [line for path in found["paths"] if (line := _line(path, _PATH_LENGTH, say))]
    if "context" in found:
        found["context"] = say(_short(found["context"].strip(), longest))
    return {name: value for name, value in found.items() if value not in ("", [])}


def _keys(plan: Outline, say: wording.Wording) -> dict[str, str]:
    """Return the key of each step: that of its template, else one made of what its title says in general."""
    keys: dict[str, str] = {}
    taken = set(_RESERVED)
    for step in plan.kept:
        wanted = plan.keys.get(step.id) or slug(say.without(step.title), "step", _KEY_LENGTH)
        numbered = (f"{wanted[:_KEPT_OF_KEY]}_{number}" for number in count(2))
        key = next(each for each in chain([wanted[: _KEPT_OF_KEY + 4]], numbered) if each not in taken)
        taken.add(key)
        keys[step.id] = key
    return keys


def _line(text: str, length: int, say: wording.Wording) -> str:
    """Return the words of a line; where its doubled braces make it too long, it ends earlier."""
    shorter = (say(shortened(text, limit)) for limit in range(length, 0, -10))
    return next(words for words in shorter if len(words) <= length)


def _texts(plan: Outline) -> Iterable[str]:
    yield plan.description
    for step in plan.kept:
        yield step.description
        yield step.more.get("context", "")


def _longest(plan: Outline) -> int:
    """Return how many characters of each text fit into a template."""
    longest = _TEXT_BUDGET
    while longest > _SHORTEST and sum(len(text[:longest].encode()) for text in _texts(plan)) > _TEXT_BUDGET:
        longest = longest * 3 // 4
    return longest


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[:longest].rstrip() + " …"


def _comments(plan: Outline, added: list[str], cancelled: list[str], *, is_shortened: bool) -> str:
    crowded = [step.title for step in plan.kept if len(plan.needs[step.id]) > NEEDS_LIMIT]
    lines = [f"Drafted from {plan.id}. Edit it before you save it."]
    lines += _named("Added after it was planned, so missing before", added)
    lines += _named("Cancelled, so left out", cancelled)
    lines += _named("Divided, so without what was asked of them", _asked_of_groups(plan))
    lines += _named(f"Wait for more than {NEEDS_LIMIT} steps, of which the others are missing", crowded)
    lines += ["Long descriptions were cut."] if is_shortened else []
    return "".join(f"# {line}\n" for line in lines)


def _asked_of_groups(plan: Outline) -> list[str]:
    """Return the titles of groups with their gates, which a template has no place for."""
    groups = [step for step in plan.steps if step.is_group and not step.is_cancelled]
    asked = [
        (step.title, [gate["name"] for gate in step.more.get("gates", ())] + ["review"] * bool(step.more.get("review")))
        for step in groups
    ]
    return [f"{shortened(title, 50)} ({', '.join(names)})" for title, names in asked if names]


def _named(what: str, titles: list[str]) -> list[str]:
    more = f" and {len(titles) - ADDED_OR_CANCELLED} more" if len(titles) > ADDED_OR_CANCELLED else ""
    said = "; ".join(visible(shortened(title, 80)) for title in titles[:ADDED_OR_CANCELLED])
    return [f"{what}: {said}{more}."] if titles else []


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = '"' if _BREAKS.intersection(text) else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _string)


def _as_yaml(template: Mapping[str, Any]) -> str:
    return str(yaml.dump(dict(template), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100))
