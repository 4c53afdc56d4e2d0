"""/projects/{project}/insights and /suggestions: figures, how they went, and what was suggested."""

from __future__ import annotations

from typing import ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from orchestrator_site.kernel.errors import Conflict
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.rest.filters import ChoicesFilter, Filters
from orchestrator_site.rest.idempotency import Reply
from orchestrator_site.rest.query_params import ChoiceParameter, ChoicesParameter, IntegerParameter
from tasks.api.base import ProjectApi
from tasks.insights.api.serializers import (
    HistoryAnswer,
    InsightsAnswer,
    SuggestedAnswer,
    SuggestionBody,
    SuggestionShape,
)
from tasks.insights.choices import Dimension, Kind, Name, Outcome
from tasks.insights.models import Suggestion
from tasks.insights.selectors.figures import Figure, figures_of, history
from tasks.insights.serializers import OFF, wanted
from tasks.insights.services.suggestions import suggest
from tasks.models import Task

_DIMENSIONS = ChoicesParameter("dimension", "Figures by these; all by default.", Dimension.values)
_NAMES = ChoicesParameter("name", "Figures of these names; all by default.", Name.values)
_NAME = ChoiceParameter("name", "Which figure.", Name.values)
_DAYS = IntegerParameter("days", "How many days back.", least=1, most=400, default=90)


class InsightViews(ProjectApi):
    """The figures of a project."""

    queryset = Suggestion.objects.none()
    pagination_class = None
    filter_backends = ()
    answers = {"figures": InsightsAnswer, "history": HistoryAnswer}
    parameters = {"figures": (_DIMENSIONS, _NAMES), "history": (_NAME, _DAYS)}

    def figures(self, request: Request, project: str) -> Response:
        """Read the figures, each with how many tasks it rests on."""
        found = figures_of(self.project(project))
        dimensions, names = _DIMENSIONS.read(request) or Dimension.values, _NAMES.read(request) or Name.values
        rows = [each for dimension in dimensions for each in found.by(dimension)]
        rows = [each for each in rows if each.name in names and not _is_daily(each)]
        flow = [{"day": day, "planned": planned, "done": done} for day, planned, done in found.flow]
        facts = {"day": found.day, "days": found.days, "until": found.until, "is_stored": found.is_stored}
        return Response(self.shape({**facts, "figures": rows, "flow": flow}))

    def history(self, request: Request, project: str) -> Response:
        """Read how a figure of the project went, day by day."""
        name = _NAME.read(request)
        found = history(self.project(project), Name(name), _DAYS.read(request) or 0)
        rows = [{"day": day, "value": value, "n": n} for day, value, n in found]
        return Response(self.shape({"name": name, "days": rows}))


def _is_daily(figure: Figure) -> bool:
    """Whether it is the number of a day, which `flow` has."""
    return figure.dimension == Dimension.PROJECT and bool(figure.key)


class SuggestionFilters(Filters):
    kind = ChoicesFilter([(word, word) for word in Kind.values], field_name="kind", help_text="Of some kinds.")
    outcome = ChoicesFilter(
        [(word, word) for word in Outcome.values], field_name="outcome", help_text="With some outcomes."
    )


class SuggestionViews(ProjectApi):
    """Suggestions that were shown."""

    queryset = Suggestion.objects.all()
    serializer_class = SuggestionShape
    filterset_class = SuggestionFilters
    orderings: ClassVar[dict[str, str]] = {"created_at": "pk"}
    answers = {"create": SuggestedAnswer}
    bodies = {"create": SuggestionBody}
    scopes = {"create": Scope.READ}  # that it was shown is kept, as the use of a tool is

    def list(self, request: Request, project: str) -> Response:
        """List the suggestions of a project, newest first."""
        rows = Suggestion.objects.filter(project=self.project(project)).select_related("task", "session")
        return self.listed(rows)

    def create(self, request: Request, project: str) -> Response:
        """Suggest a specialist for a task or for requirements. Nothing is assigned by it."""
        found, given = self.project(project), self.given()
        tasks = Task.objects.filter(project=found)
        task = self.one(tasks, "task", given["task_id"]) if given.get("task_id") else None
        about, actor = wanted(given.get("task_requirements", ""), task), self.actor(found)

        def produce() -> Reply:
            made = suggest(project=found, actor=actor, **about)
            if made.suggestion is None:
                raise Conflict(OFF, next="An administrator can switch them on.")
            return Reply(self.shape(made))

        return self.once(produce, project=found)
