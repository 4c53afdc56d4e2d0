"""The roles of specialists, from four sources.

For each role the first source that has it wins: the project's files `.task_orchestrator/roles/*.yaml`, the project's
rows, the site's rows, the packaged defaults. Files are read on every call, so an edit takes effect on the next one. A
project's folder may hold anything: only plain files are read, through no link, and no more of them than the limits say.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from django.db.models import Q

from orchestrator_site.kernel.compiled import Compiled
from orchestrator_site.kernel.text import unstorable, visible
from orchestrator_site.kernel.text_files import Bounds, text_files
from tasks.models import Project, Specialist

ROLES_FOLDER = Path(".task_orchestrator") / "roles"
BOUNDS = Bounds()
PROBLEMS_LIMIT = 50
"""Problems that are named of one file."""
_DEPTH_LIMIT = 20
NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_ORCHESTRATOR = "task_orchestrator"
"""Role files of release 1.x describe the planner under this name; no task is assigned to it."""
_TEXTS = ("role_definition", "output_format")
_LISTS = ("expertise", "approach")
_of_project = Compiled(lambda project: Specialist.objects.filter(Q(project__isnull=True) | Q(project=project)))
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Role:
    name: str
    role_definition: str
    expertise: tuple[str, ...] = ()
    approach: tuple[str, ...] = ()
    output_format: str = ""
    source: str = "default"


@dataclass(frozen=True, slots=True)
class Catalogue:
    roles: dict[str, Role]
    problems: list[str] = field(default_factory=list)

    def problems_with(self, name: object, *, at: str) -> list[dict[str, Any]]:
        """Return the problems of a specialist's name at a place of a request; empty if it is known."""
        if name in self.roles:
            return []
        near = difflib.get_close_matches(str(name), self.roles, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        wrong = f"{str(name)[:64]!r} is not a specialist of this project{hint}"
        return [{"at": at, "problem": wrong, "allowed": sorted(self.roles)}]


Parsed = tuple[list[Role], list[str]]  # the valid roles of a file, and a line for each problem


def catalogue(project: Project | None) -> Catalogue:
    roles = {role.name: role for role in _packaged()}
    rows = _of_project(project=project) if project else Specialist.objects.filter(project__isnull=True)
    for row in sorted(rows, key=lambda row: row.project_id is not None):  # the project's rows win
        roles[row.name] = Role(
            row.name,
            row.role_definition,
            tuple(row.expertise),
            tuple(row.approach),
            row.output_format,
            source="project" if row.project_id else "site",
        )
    problems: list[str] = []
    for found, wrong in _project_files(project) if project else ():
        problems += wrong
        roles.update((role.name, role) for role in found)
    return Catalogue(roles, problems)


def parse(text: str, *, file: str) -> Parsed:
    """Read roles from YAML. A broken role or file is left out whole, so that the next source is used instead."""
    try:
        if (line := _too_deep(text)) is not None:
            return [], [f"{file}, line {line}: nested too deeply; the file is not used"]
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line_of = f", line {mark.line + 1}" if mark else ""
        reason = getattr(error, "problem", None) or "unreadable characters"
        return [], [f"{file}{line_of}: not valid YAML ({reason}); the file is not used"]
    if root is None:
        return [], []
    if not isinstance(root, yaml.MappingNode):
        return [], [f"{file}, line {root.start_mark.line + 1}: expected a mapping of role names; the file is not used"]
    roles: list[Role] = []
    problems: list[str] = []
    names: set[str] = set()
    for name, value in root.value:
        _read_role(name, value, file, roles, problems, names)
    if more := len(problems[PROBLEMS_LIMIT:]):
        problems[PROBLEMS_LIMIT:] = [f"{file}: {more} more problems"]
    return roles, problems


def _too_deep(text: str) -> int | None:
    """Return the line where collections nest too deeply: composing recurses in C, beyond Python's limit."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEPTH_LIMIT:
            mark = event.start_mark
            return mark.line + 1 if mark else 1
    return None


def _read_role(
    name: yaml.Node, value: yaml.Node, file: str, roles: list[Role], problems: list[str], names: set[str]
) -> None:
    if name.value == _ORCHESTRATOR:
        return
    found: dict[str, Any] = {}
    wrong: list[tuple[yaml.Node, str]] = []
    if not isinstance(name, yaml.ScalarNode) or not NAME.fullmatch(name.value):
        wrong.append((name, "a role name has at most 64 lower-case letters, digits, - and _"))
    elif name.value in names:
        wrong.append((name, "is defined twice"))
    if isinstance(value, yaml.MappingNode):
        for key, content in value.value:
            wrong += _read_key(key, content, found)
        if not found.get("role_definition", "").strip() and not wrong:
            wrong.append((name, "role_definition is missing"))
    else:
        wrong.append((value, "expected a mapping with role_definition, expertise, approach, output_format"))
    if wrong:
        problems += [f"{file}, line {at.start_mark.line + 1}: {_name(name)}: {why}" for at, why in wrong]
    else:
        names.add(name.value)
        roles.append(Role(name.value, source=file, **found))


def _read_key(key: yaml.Node, content: yaml.Node, found: dict[str, Any]) -> list[tuple[yaml.Node, str]]:
    if key.value in _TEXTS:
        if not isinstance(content, yaml.ScalarNode) or unstorable(content.value):
            return [(content, f"{key.value} must be a string")]
        found[key.value] = content.value.strip()
    elif key.value in _LISTS:
        if not isinstance(content, yaml.SequenceNode) or not all(
            isinstance(item, yaml.ScalarNode) and not unstorable(item.value) for item in content.value
        ):
            return [(content, f"{key.value} must be a list of strings")]
        found[key.value] = tuple(item.value.strip() for item in content.value)
    else:
        return [(key, f"unknown key {_name(key)}; allowed: {', '.join((*_TEXTS, *_LISTS))}")]
    return []


def _name(node: yaml.Node) -> str:
    return visible(node.value[:64]) if isinstance(node, yaml.ScalarNode) else "a list or mapping"


@lru_cache(maxsize=1)
def _packaged() -> list[Role]:
    path = Path(__file__).with_name("default_roles.yaml")
    roles, problems = parse(path.read_text(encoding="utf-8"), file="default")
    if problems:
        raise ValueError(f"The packaged roles are broken: {problems}")
    return roles


def _project_files(project: Project) -> list[Parsed]:
    """The project's files, last first, so that of two files with one role the first by name wins."""
    found = text_files(project.root_path, ROLES_FOLDER, "*.y*ml", BOUNDS)
    return [([], [each.problem]) if each.problem else _parsed(each.text, file=each.file) for each in reversed(found)]


_parsed = lru_cache(maxsize=2 * BOUNDS.files)(parse)
"""A file is read on every call, but parsed once per change."""
