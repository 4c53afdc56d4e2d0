"""/runs: list them, read them, and act on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseBase
from django.urls import reverse
from django_filters import rest_framework as filters
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from artifacts.api.artifacts import Anything
from orchestrator_site.kernel.errors import Conflict
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.rest.fields import Body, Boolean, Choice, Integer, String, Text
from orchestrator_site.rest.filters import ChoicesFilter, Filters
from orchestrator_site.rest.idempotency import Reply
from tasks.agents import worktrees
from tasks.agents.api.serializers import AskShape, DiffAnswer, MergedAnswer, RunRow, RunShape
from tasks.agents.choices import RunState
from tasks.agents.models import Run
from tasks.agents.selectors.runs import without_long_columns
from tasks.agents.services import control
from tasks.agents.services.comment import comment
from tasks.agents.services.merge import dismiss, merge_run, trust
from tasks.agents.worktrees import Merged, Mode, Worktree
from tasks.api.base import ProjectApi
from tasks.identity.actor import Actor

_LARGEST_KEY = 2**63 - 1


class RunFilters(Filters):
    project = filters.CharFilter(field_name="project__slug", help_text="Of one project, by its slug.")
    task = filters.CharFilter(field_name="task__public_id", help_text="Of one task, by its id.")
    plan = filters.CharFilter(field_name="plan__public_id", help_text="Of one plan, by the id of its root.")
    state = ChoicesFilter(
        [(state, state) for state in RunState.values], field_name="state", help_text="In some states."
    )
    agent = filters.CharFilter(field_name="agent", help_text="Of one agent, by its name.")


class KillBody(Body):
    reason = Text(required=False)
    session_id = String(required=False)


class ResumeBody(Body):
    """`text` is a message for the agent, the first that it gets."""

    text = Text(required=False)
    session_id = String(required=False)


class MessageBody(Body):
    text = Text()
    session_id = String(required=False)


class AnswerAskBody(Body):
    """`ask` is the number of one; without it, the oldest is answered."""

    allow = Boolean()
    ask = Integer(required=False, min_value=1, max_value=_LARGEST_KEY)
    reason = Text(required=False)
    session_id = String(required=False)


class CommentBody(Body):
    """A comment on a file that the run changed, or on a line of it, with what that says."""

    text = Text()
    path = String()
    line = Integer(required=False, min_value=1, max_value=_LARGEST_KEY)
    quote = String(required=False)
    session_id = String(required=False)


class MergeBody(Body):
    """`target` is a branch, by default one of the plan's own; `expected` its commit as a dry run named it."""

    mode = Choice([mode.value for mode in Mode], required=False)
    target = String(required=False)
    dry_run = Boolean(required=False)
    expected = String(required=False)
    session_id = String(required=False)


class PlainRunBody(Body):
    session_id = String(required=False)


class RunApi(ProjectApi):
    """The base of URLs below a run."""

    queryset = Run.objects.all()
    lookup_field = "public_id"
    lookup_url_kwarg = "run_id"
    lookup_value_regex = "[^/]+"

    def rows(self) -> QuerySet[Run]:
        return self.visible(Run.objects.select_related("project", "task", "plan", "session"))

    def run(self, run_id: str) -> Run:
        return self.one(self.rows(), "run", run_id)


class RunViews(RunApi):
    """Runs by their id."""

    serializer_class = RunShape
    filterset_class = RunFilters
    scopes = dict.fromkeys(("answer", "comment", "dismiss", "trust"), Scope.REVIEW)
    bodies = {
        "kill": KillBody, "resume": ResumeBody, "message": MessageBody, "answer": AnswerAskBody, "merge": MergeBody,
        "comment": CommentBody, "dismiss": PlainRunBody, "trust": PlainRunBody,
    }  # fmt: skip
    answers = {"list": RunRow, "answer": AskShape, "merge": MergedAnswer, "diff": DiffAnswer}
    orderings: ClassVar[dict[str, str]] = {"queued_at": "pk", "cost_usd": "cost_usd"}
    ordering = "-queued_at"

    def list(self, request: Request) -> Response:
        """List runs."""
        return self.listed(without_long_columns(self.rows()))

    def retrieve(self, request: Request, run_id: str) -> Response:
        """Read a run: how far it is, what it asks, what it changed."""
        return self.shown(self.run(run_id))

    @action(detail=True, methods=["post"])
    def kill(self, request: Request, run_id: str) -> Response:
        """End a run: a queued one at once, one at work within seconds. What it changed stays on its branch."""
        return self._act(run_id, lambda run, actor, given: control.kill(run=run, actor=actor, **given))

    @action(detail=True, methods=["post"])
    def resume(self, request: Request, run_id: str) -> Response:
        """Queue an ended run again: it goes on in its worktree and, where the agent can, in its own session."""
        return self._act(run_id, lambda run, actor, given: control.resume(run=run, actor=actor, **given))

    @action(detail=True, methods=["post"])
    def message(self, request: Request, run_id: str) -> Response:
        """Say something to an agent at work."""
        return self._act(run_id, lambda run, actor, given: control.message(run=run, actor=actor, **given))

    @action(detail=True, methods=["post"])
    def answer(self, request: Request, run_id: str) -> Response:
        """Allow or deny what an agent asks for. Needs the scope `write`, too."""

        def answer(run: Run, actor: Actor, given: dict[str, Any]) -> Reply:
            return Reply(self.shape(control.answer(run=run, actor=actor, **{"ask": None, **given})))

        return self._act(run_id, answer)

    @action(detail=True, methods=["post"])
    def dismiss(self, request: Request, run_id: str) -> Response:
        """Say that the work of a run is not wanted. Its branch stays."""
        return self._act(run_id, lambda run, actor, given: dismiss(run=run, actor=actor))

    @action(detail=True, methods=["post"])
    def trust(self, request: Request, run_id: str) -> Response:
        """Have a tampered run collected after all. Only for a person who signed in and looked at what was changed."""
        return self._act(run_id, lambda run, actor, given: trust(run=run, actor=actor), is_apart=True)

    @action(detail=True, methods=["post"])
    def comment(self, request: Request, run_id: str) -> Response:
        """Comment on what a run changed: the next attempt at its task begins with it."""
        return self._act(run_id, lambda run, actor, given: comment(run=run, actor=actor, **given))

    @action(detail=True, methods=["post"])
    def merge(self, request: Request, run_id: str) -> Response:
        """Merge the work of a run into a branch that is checked out nowhere; by default only say whether it merges.

        With `dry_run` false it needs the scope `review`. In the mode `patch`, the answer has the URL of the patch.
        """

        def merge(run: Run, actor: Actor, given: dict[str, Any]) -> Reply:
            mode = Mode(given.pop("mode", Mode.SQUASH))
            return Reply(self.shape(_shown(run, merge_run(run=run, actor=actor, mode=mode, **given))))

        return self._act(run_id, merge, is_apart=True)

    @action(detail=True)
    def diff(self, request: Request, run_id: str) -> Response:
        """Read what a run changed, as a unified diff of up to 512 KiB."""
        run = self.run(run_id)
        tree = _tree(run)
        text = worktrees.difference(tree.repository, base=run.base_commit, head=run.head_commit)
        facts = {"run_id": run.public_id, "base_commit": run.base_commit, "head_commit": run.head_commit}
        return Response(self.shape({**facts, "diff": text}))

    def _act(self, run_id: str, do: Callable[[Run, Actor, dict[str, Any]], Any], *, is_apart: bool = False) -> Response:
        """Do something to a run with the fields of the body; answer the run, unless `do` replies by itself."""
        run = self.run(run_id)
        actor = self.actor(run.project)
        given = {name: value for name, value in self.given().items() if name != "session_id"}

        def produce() -> Reply:
            done = do(run, actor, given)
            return done if isinstance(done, Reply) else self.reply(self.run(run_id))

        return self.once(produce, project=run.project, is_apart=is_apart)


class PatchViews(RunApi):
    """The patch of a run."""

    content_negotiation_class = Anything
    media_types = {"download": "text/x-patch"}

    def download(self, request: Request, run_id: str) -> HttpResponseBase:
        """Download what a run changed, for `git apply`."""
        run = self.run(run_id)
        made = merge_run(run=run, actor=Actor.outside(self.principal), mode=Mode.PATCH)
        response = HttpResponse(made.patch or b"", content_type="text/x-patch; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="{run.public_id}.patch"'
        return response


def _tree(run: Run) -> Worktree:
    """Return the worktree of a run with collected changes. Raises Conflict for one without."""
    if not (run.head_commit and run.worktree):
        raise Conflict(f"{run.public_id} has changed no files.", next="There is nothing to show.")
    return Worktree(**run.worktree)


def _shown(run: Run, done: Merged) -> dict[str, Any]:
    facts = {name: getattr(done, name) for name in ("mode", "target", "target_before", "commit", "conflicts")}
    patch = reverse("api-run-patch", args=[run.public_id]) if done.patch is not None else None
    return {"run_id": run.public_id, **facts, "files_total": done.files_total, "patch": patch}
