"""The fields of the form of a project's settings, made of their schema."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings as site

from orchestrator_site.kernel.errors import OrchestratorError
from tasks.project_settings.document import read_value
from tasks.project_settings.kinds import Numbers
from tasks.project_settings.schema import SECTIONS, STALE_HOURS, Section, Setting, to_yaml, value_in

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
        """Return the value that was typed, or None for the default. Raises Invalid for YAML that is none."""
        if self.control == "flag":
            return True if text else None
        if self.control == "yaml":
            return read_value(text, f"settings.{self.name}") if text else None
        if self.control == "number":
            return _number(text)
        return None if text in ("", self.default) else text


@dataclass(frozen=True, slots=True)
class Group:
    """A setting with its inputs: one, or one for each name."""

    setting: Setting
    fields: tuple[Field, ...]


def sections(
    document: dict[str, Any],
    specialists: list[str],
    typed: Mapping[str, str] | None = None,
    errors: Errors | None = None,
) -> list[tuple[Section, list[Group]]]:
    """Return the sections of the form; where something was typed, with that and what is wrong with it."""

    def group(setting: Setting) -> Group:
        made = _fields(setting, document, specialists)
        if typed is not None:
            wrong = errors or {}
            made = (_again(each, typed, wrong) for each in made)
        return Group(setting, tuple(made))

    return [(section, [group(setting) for setting in section.settings]) for section in SECTIONS]


def changed(document: dict[str, Any], specialists: list[str], typed: Mapping[str, str]) -> dict[str, Any]:
    """Return the document with what was typed; what was left as it was shown stays as it is. Raises Invalid."""
    result = copy.deepcopy(document)
    for field in fields_of(sections(document, specialists)):
        text = _sent(field, typed)
        if text != field.shown:
            _put(result, field.path, field.read(text))
    return result


def fields_of(form: list[tuple[Section, list[Group]]]) -> list[Field]:
    return [field for _, groups in form for group in groups for field in group.fields]


def errors_by_name(error: OrchestratorError | None, form: list[tuple[Section, list[Group]]]) -> dict[str, list[str]]:
    """Return what is wrong by the field or setting that it is about, with the place below it."""
    names = {name for field in fields_of(form) for name in (field.name, field.setting.name)}
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


def _sent(field: Field, typed: Mapping[str, str]) -> str:
    missing = "" if field.control == "flag" else field.shown
    return typed.get(field.name, missing).replace("\r\n", "\n").strip()


def _again(field: Field, typed: Mapping[str, str], errors: Errors) -> Field:
    lines = tuple(errors.get(field.name, ()))
    return Field(field.setting, field.label, field.path, field.default, _sent(field, typed), lines)


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
