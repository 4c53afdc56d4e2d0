"""The handover as a resource and as a prompt, for a context that begins."""

from __future__ import annotations

from maintenance.handover.continuing import continuing
from maintenance.selectors.handovers import latest
from orchestrator_site.kernel.errors import NotFound
from orchestrator_site.mcp.registry import prompt, resource
from tasks.models import Project
from tasks.services.caller import Caller

URI = "handover://{project}"
_SLUGS = 101


def _project(caller: Caller, slug: str) -> Project:
    """Return the project of a URI, for whoever may see it. Raises NotFound."""
    found = caller.reach(lambda: Project.objects.filter(slug=slug).first())
    if found.slug != slug:
        raise NotFound(f"There is no project {slug[:80]!r} here.", next=f"Read handover://{found.slug}.")
    return found


def _slugs(caller: Caller, name: str, typed: str, chosen: dict[str, str]) -> list[str]:
    if caller.principal.token_id and caller.principal.project_id is None:
        rows = Project.objects.filter(slug__startswith=typed).order_by("slug")
        return list(rows.values_list("slug", flat=True)[:_SLUGS])
    slug = caller.project().slug
    return [slug] if slug.startswith(typed) else []


@resource(
    URI,
    name="handover",
    title="Handover",
    description="The newest handover of a project: what the next context needs.",
    mime_type="text/markdown",
    complete=_slugs,
    project_of=lambda caller, project: _project(caller, project),
)
def handover_text(caller: Caller, project: str) -> str:
    found = _project(caller, project)
    newest = latest(found)
    if newest is None:
        raise NotFound(
            f"Project {found.slug} has no handover yet.",
            next="Prepare one: orchestrator_maintenance_coordinator(action='prepare_handover').",
        )
    return newest.text


@prompt("handover", title="Handover", description="Continue from the project's newest handover.")
def handover_prompt(caller: Caller) -> str:
    newest = latest(caller.project())
    if newest is None:
        return "There is no handover yet. Call orchestrator_initialize_session and continue with what it names."
    return continuing(newest)
