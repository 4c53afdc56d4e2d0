"""Pages of projects, plans and tasks: each parses its address, asks one or two queries, and renders."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from tasks.choices import Status
from tasks.errors import OrchestratorError
from tasks.models import Project, Task
from tasks.queries import board
from tasks.queries.brief import brief_of

LAST_PAGE = 1_000_000
SEARCH_CHARACTERS = 200
KINDS = {"leaf": "Work only", "plan": "Plans only"}

Page = Callable[..., HttpResponseBase]


def page(view: Page) -> Page:
    """Make a page: for people who signed in, read-only, with our own errors shown as a page."""
    return login_required(require_safe(with_errors_shown(view)))


def with_errors_shown(view: Page) -> Page:
    """Show our own errors as a page."""

    @wraps(view)
    def shown(request: HttpRequest, **address: str) -> HttpResponseBase:
        try:
            return view(request, **address)
        except OrchestratorError as error:
            context = {"error": error, "status": error.status, "title": error.code.replace("_", " ").capitalize()}
            return render(request, "error.html", context, status=error.status)

    return shown


def number_in(request: HttpRequest, name: str, *, least: int, most: int) -> int:
    """Read a whole number from the address; nonsense counts as the least."""
    text = request.GET.get(name, "")
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(most)):
        return least
    return min(max(int(text), least), most)


@page
def projects(request: HttpRequest) -> HttpResponse:
    rows = board.projects(page=_page_number(request))
    return render(request, "tasks/projects.html", {"rows": rows})


@page
def project(request: HttpRequest, slug: str) -> HttpResponse:
    found = _find_project(slug)
    filters = _filters(request, "status", "specialist", "q")
    context = {
        **_list_context(found, filters),
        "rows": board.plans(found, filters=filters, page=_page_number(request)),
        "counts": board.count_by("project_id", [found.pk])[found.pk],
        "waiting": board.waiting(found),
        "artifacts": board.recent_artifacts(found),
    }
    return render(request, "tasks/project.html", context)


@page
def tasks(request: HttpRequest, slug: str) -> HttpResponse:
    found = _find_project(slug)
    filters = _filters(request, "status", "specialist", "plan", "kind", "q")
    context = {
        **_list_context(found, filters),
        "rows": board.tasks(found, filters=filters, page=_page_number(request)),
        "kinds": KINDS,
    }
    return render(request, "tasks/tasks.html", context)


@page
def task(request: HttpRequest, public_id: str) -> HttpResponse:
    found = _find_task(public_id)
    tree = board.tree(found)
    context = {
        "task": found,
        "tree": tree,
        "counts": board.progress(found, tree),
        "brief": brief_of(found) if found.is_leaf else None,
        "needs": board.needs(found),
        "needed_by": board.needed_by(found),
        "artifacts": board.artifacts_of(found),
        "artifacts_shown": board.LINK_ROWS,
        "lease_is_over": found.lease_is_over(timezone.now()),
        "history": board.history(found, page=_page_number(request)),
    }
    return render(request, "tasks/task.html", context)


def _list_context(found: Project, filters: board.Filters) -> dict[str, object]:
    return {
        "project": found,
        "filters": filters,
        "statuses": Status.choices,
        "specialists": board.specialists_seen(found),
    }


def _find_project(slug: str) -> Project:
    return get_object_or_404(Project, slug=slug)


def _find_task(public_id: str) -> Task:
    if "\x00" in public_id:  # PostgreSQL refuses to compare with it
        raise Http404
    return get_object_or_404(
        Task.objects.select_related("project", "root", "parent", "lease_session"), public_id=public_id
    )


def _page_number(request: HttpRequest) -> int:
    return number_in(request, "page", least=1, most=LAST_PAGE)


def _filters(request: HttpRequest, *names: str) -> board.Filters:
    """Read filters from the address; states and kinds that do not exist are no filter."""
    given = {name: request.GET.get(name, "").replace("\x00", "").strip()[:SEARCH_CHARACTERS] for name in names}
    if given.get("status") not in Status.values:
        given["status"] = ""
    if given.get("kind") not in KINDS:
        given["kind"] = ""
    return board.Filters(**given)
