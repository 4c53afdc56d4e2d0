"""The review inbox, and the review page of a task."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404, redirect, render

from artifacts.models import Artifact
from artifacts.reviews import files
from artifacts.selectors import reviews
from artifacts.selectors.artifacts import version_of
from artifacts.selectors.cards import with_offers
from artifacts.services.comment import comment, withdraw_comment
from artifacts.services.review_comments import COMMENTS_LIMIT, composed
from orchestrator_site.kernel.db_errors import db_errors_mapped
from orchestrator_site.kernel.errors import Conflict, Forbidden, Invalid, NotReady, OrchestratorError, ServerFault
from orchestrator_site.kernel.identity import Scope, scopes_of
from orchestrator_site.web.pages import form, page, page_number, require, text_in
from tasks.choices import Status, Verb
from tasks.identity.page import actor_of, find_task
from tasks.models import Project, Task
from tasks.selectors.available_actions import may_waive, offers_for
from tasks.selectors.gates import gate_rows
from tasks.services.actions import perform, seen_as

LAST_LINE = 2**31 - 1
_DIGITS = len(str(LAST_LINE))
_DECISIONS = (Verb.APPROVE, Verb.REQUEST_REVISION)


@dataclass(frozen=True, slots=True)
class Rejected:
    error: OrchestratorError
    action: str
    given: QueryDict


@page
def inbox(request: HttpRequest) -> HttpResponse:
    project = _project(request)
    found = reviews.others(project)
    others = [(status, [task for task in found if task.status == status]) for status in (Status.BLOCKED, Status.FAILED)]
    context = {
        "project": project,
        "projects": Project.objects.only("slug", "name")[:500],
        "rows": reviews.inbox(project, page=page_number(request)),
        "others": [(status, tasks) for status, tasks in others if tasks],
        "shown": reviews.OTHERS,
        "acts": with_offers(found, scopes_of(request.user)),
    }
    return render(request, "artifacts/reviews.html", context)


@form(Scope.READ)
def review(request: HttpRequest, public_id: str) -> HttpResponseBase:
    task = find_task(public_id)
    if request.method != "POST":
        return _page(request, task)
    require(request, Scope.REVIEW)
    action = request.POST.get("do", "")
    try:
        with db_errors_mapped("a review on a page"):
            if action in _DECISIONS:
                return _decide(request, task, Verb(action))
            if action == "comment":
                return _comment(request, task)
            if action == "delete":
                return _delete(request, task)
    except (Invalid, Conflict, Forbidden, NotReady, ServerFault) as error:
        return _page(request, task, Rejected(error, action, request.POST))
    raise Http404


def _decide(request: HttpRequest, task: Task, verb: Verb) -> HttpResponse:
    words, seen = request.POST.get("words", "").replace("\r\n", "\n"), request.POST.get("seen", "")
    perform(task=task, verb=verb, actor=actor_of(request), reason=words, seen=seen)
    messages.success(request, f"“{task.title}”: {verb.label}.", extra_tags=verb)
    return redirect(_here(request))


def _comment(request: HttpRequest, task: Task) -> HttpResponse:
    version = None
    if public_id := request.POST.get("on", ""):
        artifact = get_object_or_404(Artifact, public_id=public_id.replace("\x00", ""), task=task)
        version = version_of(artifact, _line(request.POST.get("version", "")))
    made = comment(
        task=task,
        actor=actor_of(request),
        text=request.POST.get("text", ""),
        version=version,
        line=_line(request.POST.get("line", "")),
        end_line=_line(request.POST.get("to", "")),
    )
    return redirect(f"{_here(request)}#comment-{made.pk}")


def _delete(request: HttpRequest, task: Task) -> HttpResponse:
    key = _line(request.POST.get("comment", "")) or 0
    found = task.review_comments.select_related("version__artifact", "task").filter(pk=key).first()
    if found is None:
        raise Conflict("This comment was already deleted.", next="Reload the page.")
    withdraw_comment(comment=found, actor=actor_of(request))
    messages.success(request, "Comment deleted.")
    return redirect(_here(request))


def _line(text: str) -> int | None:
    text = text.strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > _DIGITS or int(text) > LAST_LINE:
        raise Invalid("line: invalid line number", next="Enter a positive integer, or leave it empty.")
    return int(text)


def _page(request: HttpRequest, task: Task, rejected: Rejected | None = None) -> HttpResponse:
    project, here = _project(request), _here(request)
    said = reviews.conversation(task)
    delivered = files.files_of(task, said.sent_back_at)
    may_comment = (
        Scope.REVIEW in scopes_of(request.user) and task.archived_at is None and bool(said.delivered or delivered)
    )
    more = f"{here}{'&' if '?' in here else '?'}"
    options = _options(request, rejected, f"{more}on=" if may_comment else "")
    shown = files.display(delivered, options, [*said.sent, *said.drafts])
    modes = _modes(delivered, shown)
    offers = [offer for offer in offers_for(task, scopes_of(request.user)) if offer.verb in _DECISIONS]
    is_invalid = rejected is not None and isinstance(rejected.error, Invalid)  # the task itself has not moved
    context = {
        "task": task,
        "within": f"?project={project.slug}" if project else "",
        "said": said,
        "files": delivered,
        "version": max((file.new.number for file in delivered), default=0),
        "files_listed": files.LISTED,
        "shown": shown,
        "hidden": [file for file in delivered if all(each.file is not file for each in shown)],
        "modes": modes,
        "mode": options.mode or next(iter(modes), ""),
        "is_compared": any(each.difference for each in shown),
        "layouts": files.LAYOUTS,
        "options": options,
        **reviews.neighbours(task, project),
        "blocks": reviews.number_blocked_by(task),
        "offers": offers,
        "gates": gate_rows(task),
        "may_waive": may_waive(task, scopes_of(request.user)),
        "may_comment": may_comment,
        "name": request.user.get_username(),
        "seen": (request.POST.get("seen") if is_invalid else None) or seen_as(task),
        "rejected": rejected,
        "is_whole": may_comment and rejected is not None and rejected.action == "comment" and not options.on,
        "placed": {comment.pk for each in shown for thread in each.threads for comment in thread},
        "orphaned_input": _orphaned_input(
            rejected, {each.file.artifact.public_id for each in shown}, may_comment, bool(offers)
        ),
        "drafted": len(composed("", said.drafts)),
        "room": COMMENTS_LIMIT,
        "here": here,
        "opens": f"{more}open=",
    }
    return render(request, "artifacts/review.html", context, status=rejected.error.status if rejected else 200)


def _orphaned_input(rejected: Rejected | None, shown: set[str], may_comment: bool, may_decide: bool) -> str:
    if rejected is None:
        return ""
    if rejected.action == "comment":
        on = rejected.given.get("on", "")
        has_form = may_comment and (not on or on in shown)
        return "" if has_form else rejected.given.get("text", "")
    return "" if may_decide else rejected.given.get("words", "")


def _options(request: HttpRequest, rejected: Rejected | None, form_url: str) -> files.Options:
    source = rejected.given if rejected and rejected.action == "comment" else request.GET
    line = source.get("line", "")
    mode, layout = text_in(request, "show"), text_in(request, "layout")
    return files.Options(
        mode=mode if mode in files.MODES else "",
        layout=layout if layout in files.LAYOUTS else "unified",
        alone=text_in(request, "file"),
        on=source.get("on", ""),
        line=int(line) if line.isascii() and line.isdigit() and len(line) < 10 else None,
        form_url=form_url,
        opened=tuple(request.GET.getlist("open")[: files.MOST_OPENED]),
    )


def _modes(delivered: list[files.File], shown: list[files.DisplayFile]) -> dict[str, str]:
    """Return the views that there are, the one that is shown by default first."""
    possible = {
        files.CHANGES: any(file.old_number for file in delivered),
        "rendered": any(each.has_markdown for each in shown),
        "source": any(each.mode in files.MODES for each in shown),
    }
    found = {name: files.MODES[name] for name in possible if possible[name]}
    return found if len(found) > 1 else {}


def _project(request: HttpRequest) -> Project | None:
    slug = text_in(request, "project")
    return Project.objects.filter(slug=slug).first() if slug else None


def _here(request: HttpRequest) -> str:
    """Return this page's URL without the position of a comment form."""
    query = request.GET.copy()
    for name in ("on", "line"):
        query.pop(name, None)
    return f"{request.path}?{query.urlencode()}" if query else request.path
