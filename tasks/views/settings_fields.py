"""The fields of the form of a project's settings, made of their schema."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings as site

from orchestrator_site.kernel.errors import Invalid, OrchestratorError
from tasks.project_settings.document import read_value
from tasks.project_settings.kinds import Numbers
from tasks.project_settings.schema import SECTIONS, STALE_HOURS, Section, Setting, to_yaml, value_in
from tasks.views.edit_form import digest

Errors = Mapping[str, list[str]]


@dataclass(frozen=True, slots=True)
class Field:
    """One input. `path` is where its value is in the document; `setting` is what that belongs to."""

    setting: Setting
    label: str
    path: tuple[str, ...]
    default: Any
    shown: str
    errors: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return ".".join(self.path)

    @property
    def control(self) -> str:
        return "number" if isinstance(self.setting.kind, Numbers) else self.setting.kind.control

    @property
    def number(self) -> Any:
        """The bounds of a number."""
        return getattr(self.setting.kind, "each", self.setting.kind)

    def read(self, text: str) -> Any:
        """Return the value that was typed, or None for the default; the service refuses what is none."""
        if self.control == "flag":
            return True if text else None
        if self.control == "yaml":
            return text if self.why_unread(text) else read_value(text, self.name) if text else None
        if self.control == "number":
            return _number(text)
        return None if text in ("", self.default) else text

    def why_unread(self, text: str) -> list[str]:
        """Return what is wrong with a text that is to be YAML, with the line."""
        try:
            if text and self.control == "yaml":
                read_value(text, self.name)
        except Invalid as error:
            return [problem["problem"] for problem in error.details["problems"]]
        return []


@dataclass(frozen=True, slots=True)
class Group:
    """A setting with its inputs: one, or one for each name."""

    setting: Setting
    fields: tuple[Field, ...]


def sections(
    document: dict[str, Any],
    specialists: list[str],
    texts: Mapping[str, str] | None = None,
    errors: Errors | None = None,
) -> list[tuple[Section, list[Group]]]:
    """Return the sections of the form; where texts were typed, with these and what is wrong with them."""

    def group(setting: Setting) -> Group:
        made = _fields(setting, document, specialists)
        if texts is not None:
            wrong = errors or {}
            made = (_again(each, texts, wrong) for each in made)
        return Group(setting, tuple(made))

    return [(section, [group(setting) for setting in section.settings]) for section in SECTIONS]


def changed(document: dict[str, Any], fields: list[Field], texts: Mapping[str, str]) -> dict[str, Any]:
    """Return the document with what was typed; what was left as it is stays as it is."""
    result = copy.deepcopy(document)
    for field in fields:
        if texts[field.name] != field.shown:
            _put(result, field.path, field.read(texts[field.name]))
    return result


def rebased(now: Mapping[str, str], post: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the texts of the form as they are now with what was typed, and those that someone else changed too.

    A field that the form had (`was-…`) and that was not sent is a box without a tick.
    """
    texts, against = dict(now), {}
    for name, text in now.items():
        was = post.get(f"was-{name}")
        typed = post.get(name, text if was is None else "").replace("\r\n", "\n").strip()
        if digest(typed) not in (was, digest(text)):
            texts[name] = typed
            if was not in (None, digest(text)):
                against[name] = text
    return texts, against


def fields_of(form: list[tuple[Section, list[Group]]]) -> list[Field]:
    return [field for _, groups in form for group in groups for field in group.fields]


def errors_by_name(error: OrchestratorError | None, fields: list[Field]) -> dict[str, list[str]]:
    """Return what is wrong by the field or setting that it is about, with the place below it."""
    names = {name for field in fields for name in (field.name, field.setting.name)}
    found: dict[str, list[str]] = {}
    for problem in error.details.get("problems", []) if error else ():
        at = problem["at"].removeprefix("settings.")
        if about := max((name for name in names if re.match(rf"{re.escape(name)}($|[.\[])", at)), key=len, default=""):
            below = at[len(about) :].lstrip(".")
            found.setdefault(about, []).append(f"{below}: {problem['problem']}" if below else problem["problem"])
    return found


def _fields(setting: Setting, document: dict[str, Any], specialists: list[str]) -> Iterator[Field]:
    value = value_in(document, setting.path)
    if not isinstance(setting.kind, Numbers):
        default = site.ORCHESTRATOR_LEASE_MINUTES if setting.name == "lease_minutes" else setting.default
        yield Field(setting, setting.label, setting.path, default, _shown(setting, value))
        return
    own = value if isinstance(value, dict) else {}
    names = setting.kind.names or [*sorted({*specialists, *own} - {"default"}), "default"]
    for name in names:
        label = "All others" if name == "default" else name.capitalize()
        usual = setting.default.get(name, STALE_HOURS["default"])
        yield Field(setting, label, (*setting.path, name), usual, str(own.get(name, "")))


def _shown(setting: Setting, value: Any) -> str:
    control = setting.kind.control
    if control == "flag":
        return "on" if value else ""
    if control == "yaml":
        return to_yaml(value).strip() if value else ""
    if control == "choice":
        return str(value or setting.default)
    return "" if value is None else str(value)


def _again(field: Field, texts: Mapping[str, str], errors: Errors) -> Field:
    text = texts[field.name]
    lines = errors.get(field.name) and (field.why_unread(text) or errors[field.name])
    return replace(field, shown=text, errors=tuple(lines or ()))


def _put(document: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Set a value, or remove it for None, with the objects that are then empty."""
    name, *rest = path
    if not rest:
        document.pop(name, None)
        if value is not None:
            document[name] = value
        return
    inner = document.setdefault(name, {})
    _put(inner, tuple(rest), value)
    if not inner:
        del document[name]


def _number(text: str) -> int | float | str | None:
    try:
        return (int(text) if text.isdecimal() else float(text)) if text else None
    except ValueError:
        return text  # the service says what is wrong with it
