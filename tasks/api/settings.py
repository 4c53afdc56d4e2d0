"""/projects/{project}/settings: the settings document, as JSON or YAML."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from orchestrator_site.kernel.errors import Invalid, TooLarge
from orchestrator_site.kernel.identity import Scope
from orchestrator_site.rest.fields import Body
from orchestrator_site.rest.idempotency import Reply
from orchestrator_site.rest.parsers import JsonParser
from tasks.api.base import ProjectApi
from tasks.api.serializers import SettingsField
from tasks.identity.actor import Actor
from tasks.models import Project
from tasks.project_settings.document import YamlDocument, merged, read_yaml
from tasks.project_settings.schema import BYTES_LIMIT, json_schema, to_yaml
from tasks.services.edit_project import edit_settings

YAML = "application/yaml"
Settings = dict[str, Any]


class MergePatchParser(JsonParser):
    media_type = "application/merge-patch+json"


class YamlParser(BaseParser):
    media_type = YAML

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> YamlDocument:
        raw = stream.read(BYTES_LIMIT + 1)
        if len(raw) > BYTES_LIMIT:
            raise TooLarge(f"Settings may have {BYTES_LIMIT // 1024} KiB.", next="Send less.")
        try:
            return read_yaml(raw.decode())
        except UnicodeDecodeError as error:
            raise Invalid(f"The body is not YAML in UTF-8: byte {error.start}.", next="Send UTF-8.") from error


class YamlRenderer(BaseRenderer):
    media_type = YAML
    format = "yaml"
    charset = "utf-8"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> str:
        return to_yaml(dict(data))


class ProjectSettings(serializers.Serializer[Project]):
    """What a project has set; what is missing has its default."""

    whole: ClassVar[dict[str, Any]] = json_schema()

    def to_representation(self, instance: Project) -> Settings:
        return dict(instance.settings)


class SettingsBody(Body):
    """The whole document. The service checks it."""

    whole: ClassVar[dict[str, Any]] = SettingsField.json_schema

    def to_internal_value(self, data: Any) -> Any:
        return data


class SettingsPatch(SettingsBody):
    """A merge patch (RFC 7396): null clears."""

    whole = json_schema(is_patch=True)


class SettingsViews(ProjectApi):
    """The settings of a project."""

    queryset = Project.objects.all()
    serializer_class = ProjectSettings
    pagination_class = None
    renderer_classes = (JSONRenderer, YamlRenderer)
    parser_classes = (JsonParser, MergePatchParser, YamlParser)
    scopes = {"update": Scope.ADMIN, "partial_update": Scope.ADMIN}
    bodies = {"update": SettingsBody, "partial_update": SettingsPatch}

    def retrieve(self, request: Request, project: str) -> Response:
        """Read a project's settings: what it has set; all else has its default. Also as `application/yaml`."""
        return self.shown(self.project(project))

    def update(self, request: Request, project: str) -> Response:
        """Replace a project's settings. What is left out has its default. Also as `application/yaml`."""
        if self.request.stream is None:
            raise Invalid("The body is empty.", next="Send the settings; {} gives all of them their defaults.")
        return self._edit(project, lambda _: self.given())

    def partial_update(self, request: Request, project: str) -> Response:
        """Merge a patch into a project's settings (RFC 7396): null clears. Also as `application/yaml`.

        Two patches at once of different settings are both kept.
        """
        return self._edit(project, partial(merged, patch=self.given()))

    def _edit(self, project: str, change: Callable[[Settings], Settings]) -> Response:
        found, guard = self.project(project), self.guard()
        actor = Actor.outside(self.principal)

        def produce() -> Reply:
            return self.reply(edit_settings(project=found, actor=actor, change=change, guard=guard))

        try:
            return self.once(produce, project=found)
        except Invalid as error:
            if isinstance(self.request.data, YamlDocument):
                self.request.data.locate(error)
            raise
