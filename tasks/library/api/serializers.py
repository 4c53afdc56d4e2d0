"""Templates, previews and origins of plans, as REST shows them."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework import serializers

from orchestrator_site.rest.fields import Body, Choice, String, Text
from tasks.choices import Complexity, Priority
from tasks.library.models import PlanOrigin
from tasks.library.models import Template as Row
from tasks.library.selectors.templates import PlannedStep
from tasks.library.serializers import parameter_facts
from tasks.library.templating.format import Parameter


class ValuesField(serializers.JSONField):
    """Values by the names of parameters, which the template checks."""

    json_schema: ClassVar[dict[str, Any]] = {"type": "object", "additionalProperties": True}

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict):
            raise serializers.ValidationError("must be an object")
        return super().to_internal_value(data)


class ValueField(serializers.JSONField):
    """The value of a parameter."""

    json_schema: ClassVar[dict[str, Any]] = {
        "type": ["string", "integer", "boolean", "array", "null"],
        "items": {"type": "string"},
    }


class TemplateBody(Body):
    text = Text()


class PreviewBody(Body):
    parameters = ValuesField(required=False)


class PlanFromTemplateBody(Body):
    """`sha256` is that of the preview; a template that was changed since is not applied."""

    parameters = ValuesField(required=False)
    sha256 = String(required=False)
    description = Text(required=False)
    complexity_level = Choice(Complexity.values, required=False)
    context = Text(required=False)  # type: ignore[assignment]  # a field is no attribute of the class in the end
    parent_task_id = String(required=False, allow_null=True)
    session_id = String(required=False)


class ParameterShape(serializers.Serializer[Any]):
    """A parameter; `max` bounds characters, an integer, or the items of a list."""

    name = serializers.CharField()
    type = serializers.CharField()
    description = serializers.CharField()
    required = serializers.BooleanField()  # type: ignore[assignment]
    default = ValueField()
    choices = serializers.ListField(child=serializers.CharField())
    pattern = serializers.CharField()
    max = serializers.IntegerField(allow_null=True)

    def to_representation(self, instance: Parameter) -> dict[str, Any]:
        usual: dict[str, Any] = {"required": False, "default": None, "choices": [], "pattern": "", "max": None}
        return {**usual, **parameter_facts(instance), "description": instance.description}


class TemplateRow(serializers.Serializer[Any]):
    """A template in effect; `source` is default, site, project, or a file, and `hides` are those below it."""

    name = serializers.CharField()
    version = serializers.CharField(source="template.version")
    title = serializers.CharField(source="template.title")
    when = serializers.CharField(source="template.when")
    source = serializers.CharField()  # type: ignore[assignment]
    number = serializers.IntegerField(allow_null=True)
    sha256 = serializers.CharField()
    hides = serializers.ListField(child=serializers.CharField())
    problems = serializers.ListField(child=serializers.CharField())


class TemplateShape(TemplateRow):
    """A template in effect with its parameters, its number of steps and its text."""

    parameters = ParameterShape(many=True)
    steps_total = serializers.IntegerField()
    text = serializers.CharField()


class TemplatesAnswer(serializers.Serializer[Any]):
    """The templates by name, and the problems of those that are broken."""

    results = TemplateRow(many=True)
    problems = serializers.ListField(child=serializers.CharField())


class PlannedStepShape(serializers.Serializer[Any]):
    """A subtask as it would be planned, with the gates of its project."""

    key = serializers.CharField(source="subtask.key")
    title = serializers.CharField(source="subtask.title")
    description = serializers.CharField(source="subtask.description")
    specialist_type = serializers.CharField(source="subtask.specialist")
    dependencies = serializers.ListField(child=serializers.CharField(), source="subtask.dependencies")
    estimated_effort = serializers.CharField(source="subtask.effort")
    priority = serializers.SerializerMethodField()
    review = serializers.BooleanField(source="subtask.review", allow_null=True)
    paths = serializers.ListField(child=serializers.CharField(), source="subtask.paths")
    resources = serializers.ListField(child=serializers.CharField(), source="subtask.resources")
    gates = serializers.SerializerMethodField()

    def get_priority(self, step: PlannedStep) -> str:
        return Priority(step.subtask.priority or Priority.NORMAL).label

    def get_gates(self, step: PlannedStep) -> list[str]:
        return [gate.name for gate in step.gates]


class PreviewShape(serializers.Serializer[Any]):
    """The plan that applying the template with these parameters and this sha256 makes."""

    name = serializers.CharField(source="entry.name")
    sha256 = serializers.CharField(source="entry.sha256")
    description = serializers.CharField()
    steps = PlannedStepShape(many=True)
    left_out = serializers.ListField(child=serializers.CharField())


class TemplateVersionShape(serializers.ModelSerializer[Row]):
    """A version that was saved; the newest of the project is in effect, else that of the site."""

    layer = serializers.SerializerMethodField()

    class Meta:
        model = Row
        fields = ("layer", "number", "version", "title", "sha256", "text", "is_deleted", "saved_by", "saved_at")

    def get_layer(self, row: Row) -> str:
        return "project" if row.project_id else "site"


class VersionsAnswer(serializers.Serializer[Any]):
    """The versions that were saved, newest first."""

    results = TemplateVersionShape(many=True)


class OriginShape(serializers.ModelSerializer[PlanOrigin]):
    """What a plan came from: the template as it was then, and the task that each key became."""

    parameters = ValuesField()
    keys = serializers.DictField(child=serializers.CharField())
    recurring = serializers.CharField(source="recurring.name", allow_null=True, default=None)

    class Meta:
        model = PlanOrigin
        fields = ("template", "version", "source", "sha256", "parameters", "keys", "recurring", "created_at")
