"""/projects/{project}/contexts and /lessons: what earlier tasks taught, and what waits for a decision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.urls import reverse
from django_filters import rest_framework as filters
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from orchestrator_site.kernel.identity import Scope
from orchestrator_site.rest.fields import Body, Boolean, String, StringList, Text
from orchestrator_site.rest.filters import BooleanFilter, ChoicesFilter, Filters
from orchestrator_site.rest.idempotency import Reply
from tasks.api.base import ProjectApi
from tasks.identity.actor import Actor
from tasks.library.choices import ContextState
from tasks.library.contexts.reading import ITEMS_LIMIT
from tasks.library.models import Context
from tasks.library.selectors.contexts import context_by_id, contexts_of, files_of
from tasks.library.selectors.lessons import lesson_by_id, open_lessons
from tasks.library.services import contexts, lessons
from tasks.models import Note, Project

Done = Callable[[Project, Actor], Context]


class ContextShape(serializers.ModelSerializer[Context]):
    """A context; an empty `project` means the whole site, an empty `specialist_type` every specialist."""

    context_id = serializers.CharField(source="public_id")
    project = serializers.CharField(source="project.slug", default="")
    specialist_type = serializers.CharField(source="specialist")
    paths = serializers.ListField(child=serializers.CharField())
    words = serializers.ListField(child=serializers.CharField())
    sources = serializers.ListField(child=serializers.CharField())
    state = serializers.ChoiceField(ContextState.choices)

    class Meta:
        model = Context
        fields = (
            "context_id", "project", "specialist_type", "name", "text", "paths", "words", "sources", "state",
            "is_disputed", "used", "unused", "expires_at", "saved_by", "saved_at",
        )  # fmt: skip


class FileShape(serializers.Serializer[Any]):
    """A context of a file, by its path."""

    path = serializers.CharField(source="entry.key")
    specialist_type = serializers.CharField(source="entry.specialist")
    text = serializers.CharField(source="entry.text")
    paths = serializers.ListField(child=serializers.CharField(), source="entry.paths")
    words = serializers.ListField(child=serializers.CharField(), source="entry.words")
    sources = serializers.ListField(child=serializers.CharField(), source="entry.sources")
    expires_at = serializers.DateTimeField(source="entry.expires_at", allow_null=True)
    used = serializers.IntegerField()
    unused = serializers.IntegerField()


class FilesAnswer(serializers.Serializer[Any]):
    """The contexts of the project's files, and what is wrong with some."""

    results = FileShape(many=True, source="contexts")
    problems = serializers.ListField(child=serializers.CharField())


class LessonShape(serializers.ModelSerializer[Note]):
    """What a completed task learned, with the task and its specialist."""

    lesson_id = serializers.IntegerField(source="pk")
    task_id = serializers.CharField(source="task.public_id")
    specialist_type = serializers.CharField(source="task.specialist")
    learned_by = serializers.CharField(source="actor_name")

    class Meta:
        model = Note
        fields = ("lesson_id", "task_id", "specialist_type", "text", "learned_by", "created_at")


class AcceptLessonBody(Body):
    """What is left out follows from the lesson."""

    name = String(required=False)
    text = Text(required=False)
    specialist_type = String(required=False)
    paths = StringList(required=False, max_length=ITEMS_LIMIT)
    words = StringList(required=False, max_length=ITEMS_LIMIT)
    session_id = String(required=False)


class ContextEditBody(AcceptLessonBody):
    """What is omitted stays."""

    expires_at = serializers.DateTimeField(required=False)


class ContextBody(ContextEditBody):
    """`task_ids` are the tasks that taught it. Of an access token it is a draft."""

    name = String()
    text = Text()
    task_ids = StringList(required=False, max_length=contexts.SOURCES_LIMIT)


class DisputeBody(Body):
    """`is_disputed` false takes it back."""

    is_disputed = Boolean(required=False)
    session_id = String(required=False)


class ContextMergeBody(Body):
    context_ids = StringList(min_length=1, max_length=contexts.MERGED_AT_ONCE)
    session_id = String(required=False)


class PlainContextBody(Body):
    session_id = String(required=False)


class MergeLessonBody(Body):
    """`context_id` is the context that the lesson is appended to, or `text` instead of it."""

    context_id = String()
    text = Text(required=False)
    session_id = String(required=False)


class ContextFilters(Filters):
    specialist_type = filters.CharFilter(field_name="specialist", help_text="For one specialist.")
    state = ChoicesFilter(
        [(each, each) for each in ContextState.values], field_name="state", help_text="In some states."
    )
    disputed = BooleanFilter(field_name="is_disputed", help_text="Disputed ones, or the others.")


class _Changes(ProjectApi):
    """Views whose verbs answer the context."""

    serializer_class = ContextShape

    def facts(self) -> dict[str, Any]:
        """Return the fields of the body as services call them."""
        given = {name: value for name, value in self.given().items() if name != "session_id"}
        renamed = {"specialist_type": "specialist", "task_ids": "sources"}
        return {renamed.get(name, name): value for name, value in given.items()}

    def changed(self, project: str, do: Done, *, status: int = 200) -> Response:
        found = self.project(project)
        actor = self.actor(found)

        def produce() -> Reply:
            row = do(found, actor)
            here = reverse("api-context-detail", args=[found.slug, row.public_id]) if status == 201 else ""
            return self.reply(row, status=status, location=here)

        return self.once(produce, project=found, actor=actor)


class ContextViews(_Changes):
    """Contexts by their id."""

    queryset = Context.objects.all()
    filterset_class = ContextFilters
    lookup_field = "public_id"
    lookup_url_kwarg = "context_id"
    lookup_value_regex = "[^/]+"
    scopes = {"partial_update": Scope.REVIEW, "destroy": Scope.REVIEW, "accept": Scope.REVIEW, "renew": Scope.REVIEW,
              "merge": Scope.REVIEW}  # fmt: skip
    statuses = {"create": 201, "destroy": 204}
    answers = {"files": FilesAnswer}
    bodies = {
        "create": ContextBody, "partial_update": ContextEditBody, "accept": PlainContextBody, "renew": PlainContextBody,
        "dispute": DisputeBody, "merge": ContextMergeBody,
    }  # fmt: skip
    orderings: ClassVar[dict[str, str]] = {"saved_at": "pk", "used": "used", "expires_at": "expires_at"}
    ordering = "-saved_at"

    def list(self, request: Request, project: str) -> Response:
        """List the contexts of a project and those of the site."""
        return self.listed(contexts_of(self.project(project)))

    def create(self, request: Request, project: str) -> Response:
        """Save a context. It is refused where another says nearly the same."""
        facts = self.facts()
        return self.changed(
            project, lambda found, actor: contexts.save_context(project=found, actor=actor, **facts), status=201
        )

    def retrieve(self, request: Request, project: str, context_id: str) -> Response:
        """Read a context."""
        return self.shown(context_by_id(self.project(project), context_id))

    def partial_update(self, request: Request, project: str, context_id: str) -> Response:
        """Edit a context."""
        guard, facts = self.guard(), self.facts()
        return self._act(project, context_id, contexts.edit_context, guard=guard, **facts)

    def destroy(self, request: Request, project: str, context_id: str) -> Response:
        """Dismiss a context: it stays as a record, and no brief has it any more."""
        found, guard = self.project(project), self.guard()
        actor, row = self.actor(found), context_by_id(found, context_id)

        def produce() -> Reply:
            contexts.dismiss_context(project=found, context=row, actor=actor, guard=guard)
            return Reply(None, 204)

        return self.once(produce, project=found, actor=actor)

    @action(detail=False)
    def files(self, request: Request, project: str) -> Response:
        """List the contexts that the project's files hold."""
        return Response(self.shape(files_of(self.project(project))))

    @action(detail=True, methods=["post"])
    def accept(self, request: Request, project: str, context_id: str) -> Response:
        """Bring a draft into effect, for 90 days."""
        return self._act(project, context_id, contexts.accept_context)

    @action(detail=True, methods=["post"])
    def renew(self, request: Request, project: str, context_id: str) -> Response:
        """Let a context last for another 90 days from now."""
        return self._act(project, context_id, contexts.renew_context)

    @action(detail=True, methods=["post"])
    def dispute(self, request: Request, project: str, context_id: str) -> Response:
        """Say that a context may be wrong: it comes last and is marked. Taking that back needs the scope `review`."""
        return self._act(project, context_id, contexts.dispute_context, **self.facts())

    @action(detail=True, methods=["post"])
    def merge(self, request: Request, project: str, context_id: str) -> Response:
        """Append the texts of other contexts, with where they are from, and dismiss those."""
        others = self.given()["context_ids"]

        def merge(found: Project, actor: Actor) -> Context:
            into, rest = context_by_id(found, context_id), [context_by_id(found, each) for each in others]
            return contexts.merge_contexts(project=found, into=into, others=rest, actor=actor)

        return self.changed(project, merge)

    def _act(self, project: str, context_id: str, do: Callable[..., Context], **facts: Any) -> Response:
        return self.changed(
            project,
            lambda found, actor: do(project=found, context=context_by_id(found, context_id), actor=actor, **facts),
        )


class LessonViews(_Changes):
    """Lessons that wait for a decision, by their number."""

    queryset = Note.objects.all()
    lookup_field = "pk"
    lookup_url_kwarg = "lesson_id"
    lookup_value_regex = "[^/]+"
    scopes = dict.fromkeys(("accept", "merge", "dismiss"), Scope.REVIEW)
    answers = {"list": LessonShape, "retrieve": LessonShape}
    bodies = {"accept": AcceptLessonBody, "merge": MergeLessonBody, "dismiss": PlainContextBody}

    def list(self, request: Request, project: str) -> Response:
        """List what completed tasks learned and no person has decided about."""
        return self.listed(self._rows(project))

    def retrieve(self, request: Request, project: str, lesson_id: str) -> Response:
        """Read a lesson."""
        return self.shown(lesson_by_id(self.project(project), lesson_id))

    @action(detail=True, methods=["post"])
    def accept(self, request: Request, project: str, lesson_id: str) -> Response:
        """Make a lesson a context in effect."""
        return self._decide(project, lesson_id, lessons.accept_lesson, **self.facts())

    @action(detail=True, methods=["post"])
    def merge(self, request: Request, project: str, lesson_id: str) -> Response:
        """Append a lesson to a context."""
        facts = self.facts()
        into = context_by_id(self.project(project), facts.pop("context_id"))
        return self._decide(project, lesson_id, lessons.merge_lesson, into=into, **facts)

    @action(detail=True, methods=["post"])
    def dismiss(self, request: Request, project: str, lesson_id: str) -> Response:
        """Say that a lesson is not worth keeping."""
        return self._decide(project, lesson_id, lessons.dismiss_lesson)

    def _rows(self, project: str) -> QuerySet[Note]:
        return open_lessons(self.project(project))

    def _decide(self, project: str, lesson_id: str, do: Callable[..., Context], **facts: Any) -> Response:
        return self.changed(
            project, lambda found, actor: do(project=found, note=lesson_by_id(found, lesson_id), actor=actor, **facts)
        )
