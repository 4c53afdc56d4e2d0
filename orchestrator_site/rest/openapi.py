"""The OpenAPI document, made from the class attributes of the views (orchestrator_site/rest/base.py).

Nothing imports this when a process starts: the generator is slow to load, and few ever ask for the document.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from pathlib import Path
from threading import RLock
from typing import Any, TypeVar

import django_filters
import yaml
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse

from orchestrator_site.kernel.errors import Hint
from orchestrator_site.kernel.limits import KEY_LIMIT
from orchestrator_site.rest.examples import WORDS, add_examples
from orchestrator_site.rest.fields import Body
from orchestrator_site.rest.filters import BooleanFilter, ChoicesFilter
from orchestrator_site.rest.permissions import needed
from orchestrator_site.rest.problems import MEDIA_TYPE, TITLES, TYPE
from orchestrator_site.rest.query_params import ID, Parameter

_STRING = {"type": "string"}
_PARTS: dict[str, Any] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text())
_ETAG_LIST = {"type": "string", "pattern": '^([*]|(W/)?"[!#-~]*"(, *(W/)?"[!#-~]*")*)$'}
_KEY = {
    "type": "string",
    "minLength": 1,
    "maxLength": KEY_LIMIT,
    "pattern": '^([!#-~]|[!#-~][ !#-~]*[!#-~]|"[ !#-~]*[!#-~][ !#-~]*")$',
}
IDEMPOTENCY_KEY = Parameter("Idempotency-Key", "A new UUID for every new request; a retry with it is done once.", _KEY)
IF_MATCH = Parameter("If-Match", "The ETag that was read: 412 where it has changed since.", _ETAG_LIST)
IF_NONE_MATCH = Parameter("If-None-Match", "The known ETag: 304 where nothing has changed.")
ETAG = {"ETag": {"schema": _STRING, "description": "Identifies this state, for If-Match and If-None-Match."}}
PAGING: dict[str, str] = _PARTS["paging"]
PROBLEMS: dict[str, list[str]] = _PARTS["problems"]
"""What the document calls each status, its most common code, and what it means."""


_making = RLock()
Made = TypeVar("Made")


class Schema(AutoSchema):
    view: Any

    def get_operation(self, *place: Any) -> dict[str, Any]:
        operation: dict[str, Any] = super().get_operation(*place) or {}
        headers = [_parameter("header", header) for header in self._headers()]
        operation["parameters"] = [*operation.get("parameters", ()), *headers]
        if body_type := self._of_view("body_types"):
            operation["requestBody"] = {"content": {body_type: {"schema": {}}}, "required": True}
        elif "requestBody" in operation:
            fields = self.get_request_serializer()().fields.values()
            operation["requestBody"]["required"] = any(field.required for field in fields)
        self._describe_media(operation["responses"])
        self._add_problems(operation["responses"])
        security: dict[str, Any] = {} if self._is_guarded() else {"security": []}
        return {name: part for name, part in operation.items() if part != []} | security

    @property
    def action(self) -> str:
        return str(getattr(self.view, "action", None) or self.method.lower())

    def get_operation_id(self) -> str:
        nouns = self._nouns() or ["index"]
        return "_".join(nouns if nouns[-1] == self.action else [*nouns, self.action])

    def get_tags(self) -> list[str]:
        return self._nouns()[:1] or ["index"]

    def get_summary(self) -> str:
        return self._docstring().partition("\n")[0].rstrip(".")

    def get_description(self) -> str:  # type: ignore[override]  # as in the package itself
        scope = f"Needs the scope `{needed(self.view, self.method).value}`." if self._is_guarded() else ""
        return "\n\n".join(filter(None, [self._docstring().partition("\n")[2].strip(), scope]))

    def get_auth(self) -> list[dict[str, list[str]]]:
        """The document names the schemes once; an open operation says so itself."""
        return []

    def get_request_serializer(self) -> Any:
        return self._of_view("bodies")

    def map_parsers(self) -> list[str]:
        return ["application/json"]

    def get_response_serializers(self) -> Any:
        if self._of_view("media_types"):
            whole = {"200": OpenApiResponse({}, "The bytes.")}
            return whole | ({"206": OpenApiResponse({}, "A range of the bytes.")} if self._has_ranges() else {})
        status = self._of_view("statuses") or 200
        serializer = self._of_view("answers") or getattr(self.view, "serializer_class", None)
        made = {str(status): None if status == 204 else OpenApiResponse(serializer, "Done.")}
        is_queued = self.action in getattr(self.view, "may_queue", ())
        return made | ({"202": OpenApiResponse(serializer, "The worker does it.")} if is_queued else {})

    def _of_view(self, table: str) -> Any:
        return getattr(self.view, table, {}).get(self.action)

    def _docstring(self) -> str:
        return inspect.getdoc(getattr(self.view, self.action)) or ""

    def _nouns(self) -> list[str]:
        parts = [part.replace("-", "_").replace(".", "_") for part in self.path.removeprefix("/api/v1/").split("/")]
        return [part for part in parts if part and not part.startswith("{")]

    def _is_guarded(self) -> bool:
        return bool(self.view.get_permissions())

    def _has_ranges(self) -> bool:
        return self.action in getattr(self.view, "ranges", ())

    def _is_list_view(self, serializer: Any = None) -> bool:
        return self.action == "list" and self.view.pagination_class is not None

    def _resolve_path_parameters(self, variables: list[str]) -> list[dict[str, Any]]:
        found = []
        for name in variables:
            about = f"The id of the {name.removesuffix('_id')}." if name.endswith("_id") else f"The {name}."
            parameter = _parameter("path", Parameter(name, about, ID, is_required=True))
            found.append({**parameter, "example": WORDS[name]})
        return found

    def _get_filter_parameters(self) -> list[dict[str, Any]]:
        filters = getattr(self.view, "filterset_class", None) if self.action == "list" else None
        found = [_parameter("query", each) for each in self._of_view("parameters") or ()]
        filtered = []
        for name, each in (filters.base_filters if filters else {}).items():
            about = Parameter(name, str(each.extra["help_text"]), _schema_of(each))
            filtered.append({**_parameter("query", about), "allowEmptyValue": True})
        return filtered + found

    def _get_pagination_parameters(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = super()._get_pagination_parameters()
        return [{**each, "description": PAGING[each["name"]]} for each in found]

    def _headers(self) -> list[Parameter]:
        if not self._is_guarded() or not hasattr(self.view, "bodies"):
            return []
        headers: list[Parameter] = [*self.view.headers_of(self.action, self.method)]
        if self.method == "GET":
            return [*([IF_NONE_MATCH] if self.action == "retrieve" else []), *headers]
        key = [] if self.action in self.view.keyless else [IDEMPOTENCY_KEY]
        return [*key, *([IF_MATCH] if self.action in self.view.conditional else []), *headers]

    def _postprocess_serializer_schema(self, schema: Any, serializer: Any, direction: str) -> Any:
        """Bodies allow no other fields; responses always have all of theirs. Some describe themselves as a `whole`."""
        if hasattr(serializer, "whole"):
            return {**serializer.whole, "description": inspect.getdoc(type(serializer))}
        done = super()._postprocess_serializer_schema(schema, serializer, direction)
        for each in done.get("properties", {}).values():
            each.pop("readOnly", None)
        for name, field in serializer.fields.items():
            if hasattr(field, "json_schema"):
                done["properties"][name] = field.json_schema
        if isinstance(serializer, Body):
            done["additionalProperties"] = False
        else:
            done["required"] = list(done["properties"])
        return done

    def _describe_media(self, responses: dict[str, Any]) -> None:
        media_type = self._of_view("media_types")
        own = self._of_view("response_headers") or ()
        headers = {each.name: {"schema": _STRING, "description": each.about} for each in own}
        for status, response in responses.items():
            content = response.get("content", {})
            content.update({each: {"schema": _STRING} for each in content if each.startswith("text/")})
            if media_type:
                response["content"] = {media_type: {"schema": {}}}
            if headers:
                response["headers"] = headers
            elif self.action in ("retrieve", "create", "partial_update", "update"):
                response.setdefault("headers", {}).update(ETAG)
            if status == "201":
                response.setdefault("headers", {})["Location"] = {"schema": _STRING, "description": "Its URL."}

    def _add_problems(self, responses: dict[str, Any]) -> None:
        statuses = ["400", "401", "403", "404", "429", "503", "default"] if self._is_guarded() else ["404", "default"]
        if self.method != "GET":
            statuses += ["409", "413", *(["412"] if self.action in self.view.conditional else [])]
        elif self.action == "retrieve":
            responses["304"] = {"description": "Unchanged."}
        if self._has_ranges():
            statuses.append("416")
        responses |= {status: {"$ref": f"#/components/responses/{PROBLEMS[status][0]}"} for status in statuses}
        for status in sorted(responses):
            responses[status] = responses.pop(status)


class Generator(SchemaGenerator):
    """Uses our own Schema. As a setting, it would be imported with every view."""

    def create_view(self, *place: Any, **options: Any) -> Any:
        view = super().create_view(*place, **options)
        view.schema = Schema()
        return view


def _once(make: Callable[[], Made]) -> Callable[[], Made]:
    """Make it for the first caller; the generator fails in two threads at once."""
    made = cache(make)

    def guarded() -> Made:
        with _making:
            return made()

    return guarded


@_once
def document() -> dict[str, Any]:
    made: dict[str, Any] = Generator().get_schema(request=None, public=True)
    problem, schemes = _PARTS["problem"], _PARTS["security_schemes"]
    problem["properties"]["code"]["enum"] = list(TITLES)
    problem["properties"]["hint"] |= {"enum": [hint.value for hint in Hint], "description": "The next step, as a code."}
    made["components"]["schemas"]["Problem"] = problem
    made["components"]["responses"] = {PROBLEMS[status][0]: _problem(status) for status in PROBLEMS}
    made["components"]["securitySchemes"] = schemes
    made["security"] = [{name: []} for name in schemes]
    add_examples(made)
    return made


@_once
def as_yaml() -> str:
    return yaml.dump(document(), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _problem(status: str) -> dict[str, Any]:
    _, code, about = PROBLEMS[status]
    example = {
        "type": f"{TYPE}{code}",
        "title": TITLES[code],
        "status": int(status) if status.isdigit() else 400,
        "detail": about,
        "instance": "/api/v1/tasks/implementer_4f9a1c",
        "code": code,
    }
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}
    return {"description": about, "content": {MEDIA_TYPE: content}}


def _parameter(place: str, each: Parameter) -> dict[str, Any]:
    return {
        "name": each.name, "in": place, "required": each.is_required, "schema": each.schema, "description": each.about
    }  # fmt: skip


def _schema_of(each: Any) -> dict[str, Any]:
    if isinstance(each, ChoicesFilter):
        return {"type": "array", "items": {"type": "string", "enum": list(each.extra["words"])}}
    if isinstance(each, BooleanFilter):
        return {"type": "boolean"}
    if isinstance(each, django_filters.ChoiceFilter):
        return {"type": "string", "enum": [word for word, _ in each.extra["choices"]]}
    if isinstance(each, django_filters.IsoDateTimeFilter):
        return {"type": "string", "format": "date-time"}
    longest = each.extra.get("max_length")
    return {"type": "string", "maxLength": longest} if longest else {"type": "string"}
