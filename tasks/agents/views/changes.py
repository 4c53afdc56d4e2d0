"""What a run has changed: its files line by line, with comments for the next attempt, and as a patch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse

from artifacts.reviews.rows import DiffRows, DisplayRow, RowRenderer
from orchestrator_site.kernel.db_errors import db_errors_mapped
from orchestrator_site.kernel.errors import Conflict, Invalid, OrchestratorError, ServerFault
from orchestrator_site.kernel.identity import Scope, scopes_of
from orchestrator_site.web.pages import form, number_in, page, require
from tasks.agents import worktrees
from tasks.agents.models import Run, RunMessage
from tasks.agents.patches import FilePatch, files_of
from tasks.agents.selectors import pages
from tasks.agents.selectors.messages import at_line
from tasks.agents.services.comment import COMMENT_LENGTH, comment, withdraw
from tasks.agents.services.merge import merge_run
from tasks.agents.views.find import find_run
from tasks.agents.worktrees import Mode
from tasks.identity.page import actor_of

ROWS = 3_000
LAST_LINE = 2**31 - 1
LAYOUTS = {"unified": "Unified", "split": "Split"}
_LINK = '<a href="?{}on={}&amp;line={{n}}#remark" title="Comment on this line">{{n}}</a>'


@dataclass(slots=True)
class ShownFile:
    """A file with the rows that are shown of it, and what was said about it as a whole."""

    key: str
    patch: FilePatch
    rows: list[Any] = field(default_factory=list)
    comments: list[RunMessage] = field(default_factory=list)
    has_form: bool = False
    is_cut: bool = False


@form(Scope.READ)
def changes(request: HttpRequest, public_id: str) -> HttpResponseBase:
    run = find_run(public_id)
    if request.method != "POST":
        return _page(request, run)
    require(request, Scope.REVIEW)
    try:
        with db_errors_mapped("a comment on a run"):
            place = _withdrawn(request, run) if "withdraw" in request.POST else _commented(request, run)
    except (Conflict, Invalid, ServerFault) as error:
        return _page(request, run, error)
    layout = "?layout=split" if request.GET.get("layout") == "split" else ""
    return redirect(f"{reverse('run-changes', args=[public_id])}{layout}{place}")


@page
def as_patch(request: HttpRequest, public_id: str) -> HttpResponse:
    run = find_run(public_id)
    merged = merge_run(run=run, actor=actor_of(request), mode=Mode.PATCH, dry_run=True)
    answer = HttpResponse(merged.patch or b"", content_type="text/x-patch")
    answer["Content-Disposition"] = f'attachment; filename="{run.public_id}.patch"'
    answer["X-Content-Type-Options"] = "nosniff"
    return answer


def _commented(request: HttpRequest, run: Run) -> str:
    files = {_key(each.path): each for each in _files(run)}
    chosen = files.get(request.POST.get("on", ""))
    if chosen is None:
        raise Invalid("on: the run has not changed this file.", next="Reload the page.")
    line = _line(request.POST.get("line", ""))
    rows = (row.new for hunk in chosen.hunks for row in hunk.rows)
    quote = next((row.raw for row in rows if row and row.number == line), "")
    text = request.POST.get("text", "").replace("\r\n", "\n")
    made = comment(run=run, actor=actor_of(request), text=text, path=chosen.path, line=line, quote=quote)
    return f"#comment-{made.pk}"


def _withdrawn(request: HttpRequest, run: Run) -> str:
    found = next((each for each in pages.comments_on(run) if str(each.pk) == request.POST["withdraw"]), None)
    if found is None:
        raise Conflict("This comment is gone, or an agent has it already.", next="Reload the page.")
    withdraw(comment=found, actor=actor_of(request))
    return ""


def _line(text: str) -> int | None:
    text = text.strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 10 or not 0 < int(text) <= LAST_LINE:
        raise Invalid("line: must be a positive integer.", next="Or leave it empty.")
    return int(text)


def _page(request: HttpRequest, run: Run, error: OrchestratorError | None = None) -> HttpResponse:
    may_comment = Scope.REVIEW in scopes_of(request.user) and not run.is_live
    layout = "split" if request.GET.get("layout") == "split" else "unified"
    comments = pages.comments_on(run)
    problem = None
    shown: list[ShownFile] = []
    try:
        shown = list(_shown(request, run, comments, layout, may_comment))
    except OrchestratorError as fault:  # the repository is gone, busy or broken: the rest of the page helps
        problem = fault
    context = {
        "run": run,
        "task": run.task,
        "files": shown,
        "added": sum(each.patch.added for each in shown),
        "removed": sum(each.patch.removed for each in shown),
        "comments": comments,
        "problem": problem,
        "error": error,
        "layout": layout,
        "layouts": LAYOUTS,
        "span": 4 if layout == "split" else 3,
        "line": number_in(request, "line", least=0, most=LAST_LINE) or "",
        "text": request.POST.get("text", "") if error else "",
        "longest": COMMENT_LENGTH,
        "may_comment": may_comment,
        "may_resume": may_comment and pages.may_resume(run),
        "may_decide": Scope.REVIEW in scopes_of(request.user),
        "is_mergeable": pages.is_mergeable(run),
        "left_out": max(0, run.facts.get("files_total", 0) - len(shown)) if shown else 0,
    }
    return render(request, "agents/changes.html", context, status=error.status if error else 200)


def _files(run: Run) -> list[FilePatch]:
    if not run.head_commit or not run.worktree:
        return []
    return files_of(worktrees.difference(run.worktree["repository"], base=run.base_commit, head=run.head_commit))


def _shown(
    request: HttpRequest, run: Run, comments: list[RunMessage], layout: str, may_comment: bool
) -> Iterator[ShownFile]:
    said: dict[str, list[RunMessage]] = {}
    for each in comments:
        said.setdefault(each.text.partition("\n")[0], []).append(each)
    source: QueryDict = request.POST if request.method == "POST" else request.GET
    on, line, left = source.get("on", ""), source.get("line", ""), ROWS
    for patch in _files(run):
        file = ShownFile(_key(patch.path), patch, comments=said.get(at_line(patch.path, None), []))
        link = _LINK.format("layout=split&amp;" if layout == "split" else "", file.key) if may_comment else "{n}"
        rows = DiffRows(RowRenderer(file.key, new_link=link), layout == "split", [], []).of(patch.difference)
        file.rows = list(islice(rows, left))
        file.is_cut, left = next(rows, None) is not None, left - len(file.rows)
        for row in file.rows:
            _place(row, said, patch.path, line if on == file.key else "")
        file.has_form = may_comment and on == file.key and not any(row.has_form for row in file.rows)
        yield file


def _place(row: DisplayRow, said: dict[str, list[RunMessage]], path: str, line: str) -> None:
    if row.number is not None:
        row.comments = said.get(at_line(path, row.number), [])  # type: ignore[assignment]
        row.has_form = str(row.number) == line


def _key(path: str) -> str:
    """Return a name for a path, for addresses and as the id of an element."""
    return f"f{sha256(path.encode(errors='surrogatepass')).hexdigest()[:12]}"
