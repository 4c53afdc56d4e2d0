"""Pages of reviews: the inbox of all projects, and the work of one task with everything that was said of it."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from artifacts.models import Artifact, ArtifactVersion
from artifacts.reviews import files
from artifacts.selectors import reviews
from artifacts.selectors.artifacts import version_of
from artifacts.services.comment import comment, withdraw_comment
from artifacts.services.review_comments import ROOM, composed
from orchestrator_site.kernel.db_errors import refusals_told
from orchestrator_site.kernel.errors import Conflict, Invalid, OrchestratorError, Transient
from orchestrator_site.kernel.identity import Scope, scopes_of
from orchestrator_site.web.pages import form, page, page_number, require, text_in
from tasks.choices import Status, Verb
from tasks.identity.page import actor_of, find_task
from tasks.models import Project, Task
from tasks.selectors.available_actions import offers_for
from tasks.services.guarded_action import ask, seen_as

LAYOUTS = {"unified": "Unified", "split": "Side by side"}
LAST_LINE = 2**31 - 1
_DIGITS = len(str(LAST_LINE))
_VERDICTS = (Verb.APPROVE, Verb.REQUEST_REVISION)
_OF_A_FORM = ("on", "line")


@dataclass(frozen=True, slots=True)
class Refused:
    """What could not be done, and what was typed for it."""

    error: OrchestratorError
    deed: str
    given: QueryDict


@page
def inbox(request: HttpRequest) -> HttpResponse:
    """Show what waits for a review, of all projects or of one."""
    project = _project(request)
    found = reviews.others(project)
    others = [(status, [task for task in found if task.status == status]) for status in (Status.BLOCKED, Status.FAILED)]
    context = {
        "project": project,
        "projects": Project.objects.only("slug", "name")[:500],
        "rows": reviews.inbox(project, page=page_number(request)),
        "others": [(status, tasks) for status, tasks in others if tasks],
        "shown": reviews.OTHERS,
        "may_review": Scope.REVIEW in scopes_of(request.user),
    }
    return render(request, "artifacts/reviews.html", context)


@form(Scope.READ)
def review(request: HttpRequest, public_id: str) -> HttpResponseBase:
    """Show the work of a task; comment on it, approve it or send it back."""
    task = find_task(public_id)
    if request.method != "POST":
        return _page(request, task)
    require(request, Scope.REVIEW)
    deed = request.POST.get("do", "")
    try:
        with refusals_told("a review on a page"):
            return _do(request, task, deed)
    except (Invalid, Conflict, Transient) as error:
        return _page(request, task, Refused(error, deed, request.POST))


def _do(request: HttpRequest, task: Task, deed: str) -> HttpResponse:
    if deed in _VERDICTS:
        return _judge(request, task, Verb(deed))
    if deed == "comment":
        return _comment(request, task)
    if deed == "withdraw":
        return _withdraw(request, task)
    raise Http404


def _judge(request: HttpRequest, task: Task, verb: Verb) -> HttpResponse:
    """Approve or send back, and lead on to the next review."""
    project = _project(request)
    earlier, later = reviews.neighbours(task, project)
    words, seen = request.POST.get("words", "").replace("\r\n", "\n"), request.POST.get("seen", "")
    ask(task=task, verb=verb, actor=actor_of(request), reason=words, seen=seen)
    messages.success(request, f"“{task.title}”: {verb.label}.", extra_tags=verb)
    following = later or earlier
    address = reverse("review", args=[following.public_id]) if following else reverse("reviews")
    return redirect(_within(address, project))


def _comment(request: HttpRequest, task: Task) -> HttpResponse:
    made = comment(
        task=task,
        actor=actor_of(request),
        text=request.POST.get("text", ""),
        version=_version(request, task),
        line=_line(request.POST.get("line", "")),
        end_line=_line(request.POST.get("to", "")),
    )
    return redirect(f"{_here(request)}#comment-{made.pk}")


def _withdraw(request: HttpRequest, task: Task) -> HttpResponse:
    key = _line(request.POST.get("comment", "")) or 0
    found = task.review_comments.select_related("version__artifact", "task").filter(pk=key).first()
    if found is None:
        raise Conflict("This comment was withdrawn meanwhile.", next="There is nothing left to do.")
    withdraw_comment(comment=found, actor=actor_of(request))
    messages.success(request, "The comment is withdrawn.")
    return redirect(_here(request))


def _version(request: HttpRequest, task: Task) -> ArtifactVersion | None:
    """Return the version that a comment is on; None for the whole task's work. Raises Http404, NotFound."""
    public_id = request.POST.get("on", "")
    if not public_id:
        return None
    artifact = get_object_or_404(Artifact, public_id=public_id.replace("\x00", ""), task=task)
    return version_of(artifact, _line(request.POST.get("version", "")))


def _line(text: str) -> int | None:
    """Read a number that a form sends; empty for none. Raises Invalid for what is no number."""
    text = text.strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > _DIGITS or int(text) > LAST_LINE:
        raise Invalid("line: invalid line number", next="Enter a positive integer, or leave it empty.")
    return int(text)


def _page(request: HttpRequest, task: Task, refused: Refused | None = None) -> HttpResponse:
    project, here = _project(request), _here(request)
    said = reviews.conversation(task)
    works = files.works_of(task, said.sent_back_at)
    may_comment = Scope.REVIEW in scopes_of(request.user) and task.archived_at is None and bool(said.delivered or works)
    asking = f"{here}{'&' if '?' in here else '?'}on=" if may_comment else ""
    wanted = _wanted(request, refused, asking)
    shown = files.shown(works, wanted, [*said.sent, *said.drafts])
    earlier, later = reviews.neighbours(task, project)
    offers = [offer for offer in offers_for(task, scopes_of(request.user)) if offer.verb in _VERDICTS]
    context = {
        "task": task,
        "project_slug": project.slug if project else "",
        "said": said,
        "works": works,
        "works_listed": files.LISTED,
        "shown": shown,
        "hidden": [work for work in works if all(each.work is not work for each in shown)],
        "modes": _modes(works, shown),
        "mode": wanted.mode or files.CHANGES,
        "layouts": LAYOUTS,
        "wanted": wanted,
        "earlier": _leading(earlier, project),
        "later": _leading(later, project),
        "inbox": _within(reverse("reviews"), project),
        "offers": offers,
        "may_comment": may_comment,
        "name": request.user.get_username(),
        "seen": (request.POST.get("seen") if _is_invalid(refused) else None) or seen_as(task),
        "refused": refused,
        "is_whole": may_comment and refused is not None and refused.deed == "comment" and not wanted.on,
        "placed": {comment.pk for each in shown for comment in each.comments},
        "unplaced": _unplaced(refused, {each.work.artifact.public_id for each in shown}, may_comment, bool(offers)),
        "drafted": len(composed("", said.drafts)),
        "room": ROOM,
        "here": here,
    }
    return render(request, "artifacts/review.html", context, status=refused.error.status if refused else 200)


def _is_invalid(refused: Refused | None) -> bool:
    """Whether what was typed has to be mended, while the task stands as it was seen."""
    return refused is not None and isinstance(refused.error, Invalid)


def _unplaced(refused: Refused | None, shown: set[str], may_comment: bool, may_judge: bool) -> str:
    """Return what was typed where no form of the page could keep it: it is shown, for nobody to lose it."""
    if refused is None:
        return ""
    if refused.deed == "comment":
        on = refused.given.get("on", "")
        has_form = may_comment and (not on or on in shown)
        return "" if has_form else refused.given.get("text", "")
    return "" if may_judge else refused.given.get("words", "")


def _wanted(request: HttpRequest, refused: Refused | None, asking: str) -> files.Wanted:
    """Read how the works are asked for; a comment that was refused keeps its place."""
    source = refused.given if refused and refused.deed == "comment" else request.GET
    line = source.get("line", "")
    mode, layout = text_in(request, "show"), text_in(request, "layout")
    return files.Wanted(
        mode=mode if mode in files.MODES else "",
        layout=layout if layout in LAYOUTS else "unified",
        alone=text_in(request, "file"),
        on=source.get("on", ""),
        line=int(line) if line.isascii() and line.isdigit() and len(line) < 10 else None,
        asking=asking,
    )


def _modes(works: list[files.Work], shown: list[files.Shown]) -> list[tuple[str, str]]:
    """Name the ways to look at these works, where there are several."""
    possible = {files.CHANGES: any(work.old_number for work in works), "source": any(each.rows for each in shown)}
    possible["source"] = any(each.mode in files.MODES for each in shown)
    possible["rendered"] = any(each.has_markdown for each in shown)
    found = [(name, label) for name, label in files.MODES.items() if possible[name]]
    return found if len(found) > 1 else []


def _project(request: HttpRequest) -> Project | None:
    """Return the project that the address narrows the reviews to; one that is not there is no filter."""
    slug = text_in(request, "project")
    return Project.objects.filter(slug=slug).first() if slug else None


def _leading(task: Task | None, project: Project | None) -> tuple[str, str] | None:
    """Return the address and the title of another review."""
    return (_within(reverse("review", args=[task.public_id]), project), task.title) if task else None


def _within(address: str, project: Project | None) -> str:
    return f"{address}?project={project.slug}" if project else address


def _here(request: HttpRequest) -> str:
    """Return the address of this page as it was asked for, without the place of a form."""
    query = request.GET.copy()
    for name in _OF_A_FORM:
        query.pop(name, None)
    return f"{request.path}?{query.urlencode()}" if query else request.path
