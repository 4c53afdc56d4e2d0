"""Write and delete the templates of a project or of the site; files and starters are read only."""

from __future__ import annotations

from collections.abc import Callable

from django.db import IntegrityError, transaction

from orchestrator_site.kernel.errors import Conflict, NotFound, invalid
from orchestrator_site.kernel.identity import Scope
from tasks import events
from tasks.choices import Verb
from tasks.identity.actor import Actor
from tasks.library.catalogue import Entry, catalogue, names_of, sha256_of
from tasks.library.models import Template as Row
from tasks.library.templating.format import Template
from tasks.library.templating.reading import read
from tasks.models import Project, Task

Guard = Callable[[Entry | None], None]  # checks the template in effect before anything is changed


def save_template(
    *,
    project: Project | None,
    actor: Actor,
    text: str,
    name: str = "",
    drafted_from: Task | None = None,
    guard: Guard | None = None,
) -> Entry:
    """Save a version of a template for a project, or for the site; return the one in effect.

    The text that is in effect there already makes no version. Raises Forbidden, Invalid with every line that is wrong,
    Conflict where a file of the project defines it or another request wrote it at the same time, and what `guard`
    raises.
    """
    actor.require(Scope.ADMIN)
    template = checked_text(project, text, name=name)
    try:
        with transaction.atomic():
            _require_no_file(project, template.name, guard)
            newest = _newest(project, template.name)
            if newest is None or newest.is_deleted or newest.text != text:
                _add(project, actor, template, text, newest, drafted_from)
    except IntegrityError as error:
        raise Conflict(f"{template.name} was changed at the same time.", next="Read it again.") from error
    return catalogue(project).templates[template.name]


def delete_template(*, project: Project | None, actor: Actor, name: str, guard: Guard | None = None) -> None:
    """Delete a template of a project or of the site; its versions stay, and the next source takes effect.

    Raises Forbidden, NotFound where there is none of its own, Conflict where another request wrote it at the same time,
    and what `guard` raises.
    """
    actor.require(Scope.ADMIN)
    try:
        with transaction.atomic():
            newest = _newest(project, name)
            if newest is None or newest.is_deleted:
                raise NotFound(
                    f"No template {name[:64]!r} was saved {'in this project' if project else 'for the site'}.",
                    next="Templates from files and the package cannot be deleted here.",
                )
            _in_effect(project, name, guard)
            Row.objects.create(
                project=project, name=name, number=newest.number + 1, title=newest.title, is_deleted=True,
                saved_by=actor.name,
            )  # fmt: skip
            _record(project, actor, Verb.DELETE_TEMPLATE, name, newest.number)
    except IntegrityError as error:
        raise Conflict(f"{name} was changed at the same time.", next="Read it again.") from error


def checked_text(project: Project | None, text: str, *, name: str = "") -> Template:
    """Return the template in a text. Raises Invalid with every line that is wrong and what is allowed."""
    specialists, commands = names_of(project)
    resources = frozenset(project.resources.values_list("name", flat=True)) if project else None
    reading = read(text, specialists=specialists, commands=commands, resources=resources)
    if reading.template is None:
        raise invalid([each.as_dict() for each in reading.problems], next="Fix these lines.")
    if name and reading.name != name:
        wrong = {"at": "template", "problem": f"is {reading.name!r}, but this is {name[:64]!r}", "allowed": [name]}
        raise invalid([wrong], next="Save it under its own name, or change that line.")
    return reading.template


def _require_no_file(project: Project | None, name: str, guard: Guard | None) -> None:
    before = _in_effect(project, name, guard)
    if before is not None and before.is_file:
        raise Conflict(f"{name} is defined in {before.source}, which takes precedence.", next="Edit that file.")


def _in_effect(project: Project | None, name: str, guard: Guard | None) -> Entry | None:
    list(Row.objects.select_for_update().filter(project=project, name=name).values_list("pk"))
    found = catalogue(project).templates.get(name)
    if guard:
        guard(found)
    return found


def _newest(project: Project | None, name: str) -> Row | None:
    return Row.objects.filter(project=project, name=name).order_by("-number").first()


def _add(
    project: Project | None, actor: Actor, template: Template, text: str, newest: Row | None, drafted_from: Task | None
) -> None:
    number = newest.number + 1 if newest else 1
    Row.objects.create(
        project=project, name=template.name, number=number, version=template.version, title=template.title, text=text,
        sha256=sha256_of(text), drafted_from=drafted_from, saved_by=actor.name,
    )  # fmt: skip
    _record(project, actor, Verb.EDIT_TEMPLATE, template.name, number)


def _record(project: Project | None, actor: Actor, verb: Verb, name: str, number: int) -> None:
    """Write the event of a project; of the site's templates, the versions themselves say who saved them and when."""
    if project is not None:
        events.record(actor=actor, verb=verb, project=project, after={"template": name, "number": number})
