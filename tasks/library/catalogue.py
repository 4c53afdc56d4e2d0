"""The templates in effect, from four sources.

For each name the first source that has it wins: the project's files `.task_orchestrator/templates/*.yaml`, the
project's rows, the site's rows, the packaged starters. Files are read on every call. What is broken is named with its
line, and the next source is shown; but nothing is planned of it until the broken one is fixed or deleted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath

from django.db.models import Q

from orchestrator_site.kernel.errors import Conflict, NotFound
from orchestrator_site.kernel.text import shortened
from orchestrator_site.kernel.text_files import Bounds, text_files
from tasks import roles
from tasks.library.models import Template as Row
from tasks.library.templating.format import TEXT_LIMIT, Parameter, Template
from tasks.library.templating.reading import Names, Reading, read
from tasks.models import Project

TEMPLATES_FOLDER = Path(".task_orchestrator") / "templates"
BOUNDS = Bounds(file=TEXT_LIMIT, all_files=1024 * 1024)
STARTERS = Path(__file__).with_name("starters")
SCHEMA = Path(__file__).with_name("template.schema.json")
PROBLEMS_LIMIT = 50
PROBLEM_LENGTH = 300
NAMED = 20
"""Names of templates in an error."""
DEFAULT, SITE, PROJECT = "default", "site", "project"
"""Sources that are not files; for a file, its path is the source."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A template in effect. `number` counts the versions of a row; `hides` are the sources that it takes precedence of.

    What a template of this name was refused for in a higher source is in `problems`.
    """

    template: Template
    text: str
    source: str
    number: int | None = None
    hides: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.template.name

    @property
    def sha256(self) -> str:
        return sha256_of(self.text)

    @property
    def parameters(self) -> list[Parameter]:
        return list(self.template.parameters.values())

    @property
    def steps_total(self) -> int:
        return len(self.template.steps)

    @property
    def is_file(self) -> bool:
        return self.source not in (DEFAULT, SITE, PROJECT)

    def require_sound(self) -> None:
        """Raises Conflict where this is in effect only because the template of a higher source is broken."""
        if self.problems:
            raise Conflict(
                f"The template {self.name} is broken: {shortened(self.problems[0], PROBLEM_LENGTH)}",
                next=f"Fix it, or delete it to use the one of {self.source}.",
            )


@dataclass(slots=True)
class Library:
    """The templates by name, and a line for everything that is broken."""

    templates: dict[str, Entry] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def entry(self, name: str) -> Entry:
        """Return a template. Raises NotFound with the names that are there."""
        if name not in self.templates:
            allowed = sorted(self.templates)[:NAMED]
            raise NotFound(
                f"No template {name[:64]!r}.", next=f"There are: {', '.join(allowed)}.", details={"allowed": allowed}
            )
        return self.templates[name]

    def add(self, name: str, reading: Reading, text: str, source: str, at: str, number: int | None = None) -> None:
        """Put what was read above what is there, or name what is wrong with it."""
        if reading.template is not None:
            below = self.templates.get(name)
            hides = (*below.hides, below.source) if below else ()
            self.templates[name] = Entry(reading.template, text, source, number, hides)
        else:
            self.refuse(name, [problem.said(at) for problem in reading.problems])

    def refuse(self, name: str, wrong: list[str]) -> None:
        """Name what is wrong with a template that would be above what is there."""
        self.problems += wrong
        if below := self.templates.get(name):
            self.templates[name] = replace(below, problems=(*below.problems, *wrong))


def catalogue(project: Project | None) -> Library:
    """Return the templates of a project, or those of the site."""
    specialists, commands = names_of(project)
    found = Library()
    for file, text in _starters():
        reading = read(text, specialists=specialists)
        found.add(reading.name, reading, text, DEFAULT, file)
    for row in newest_rows(project):
        source = PROJECT if row.project_id else SITE
        reading = read(row.text, specialists=specialists, commands=commands)
        found.add(row.name, reading, row.text, source, f"{source} template {row.name} ({row.number})", row.number)
    if project is not None:
        _add_files(found, project, specialists, commands)
    found.problems[PROBLEMS_LIMIT:] = []
    return found


def names_of(project: Project | None) -> tuple[Names, Names]:
    """Return the specialists of a project, and the commands that its settings allow; the site has none of its own."""
    specialists = frozenset(roles.catalogue(project).roles)
    return specialists, frozenset(project.commands) if project else None


def newest_rows(project: Project | None) -> list[Row]:
    """Return the newest version of each template that was not deleted: the site's, then the project's."""
    of_both = Q(project__isnull=True) | Q(project=project) if project else Q(project__isnull=True)
    versions = Row.objects.filter(of_both).order_by("number").values_list("project_id", "name", "pk")
    newest = {(project_pk, name): pk for project_pk, name, pk in versions}
    rows = Row.objects.filter(pk__in=newest.values(), is_deleted=False).order_by("name")
    return sorted(rows, key=lambda row: row.project_id is not None)


def sha256_of(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _add_files(found: Library, project: Project, specialists: Names, commands: Names) -> None:
    files = text_files(project.root_path, TEMPLATES_FOLDER, "*.y*ml", BOUNDS)
    named: dict[str, str] = {}
    for each in files:
        name = PurePosixPath(each.file).stem  # where it cannot be read, the best guess
        if each.problem:
            found.refuse(name, [each.problem])
            continue
        reading = read(each.text, specialists=specialists, commands=commands)
        name = reading.name or name
        if first := named.get(name):
            found.problems.append(f"{each.file}: {name} is in {first} too, which is used")
            continue
        if reading.template:
            named[name] = each.file
        found.add(name, reading, each.text, each.file, each.file)


@lru_cache(maxsize=1)
def _starters() -> Iterable[tuple[str, str]]:
    """Return the packaged templates. Raises ValueError where one is broken."""
    found = tuple((path.name, path.read_text(encoding="utf-8")) for path in sorted(STARTERS.glob("*.yaml")))
    if broken := [problem.said(file) for file, text in found for problem in read(text).problems]:
        raise ValueError(f"The packaged templates are broken: {broken}")
    return found
