"""Describes one operation from the tables of its view (orchestrator_site/rest/base.py)."""

from __future__ import annotations

import inspect
from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse

from artifacts.api.uploads import MEDIA_TYPE as PART
from orchestrator_site.openapi import parameters
from orchestrator_site.rest.fields import Body
from orchestrator_site.rest.permissions import needed
from tasks.validators import LEASE_MINUTES_LIMIT

_ETAG = {
    "ETag": {"schema": {"type": "string"}, "description": "Names this very state, for If-Match and If-None-Match."}
}
PROBLEMS = {
    "400": ("Invalid", "invalid", "The request is wrong; `problems` says where."),
    "401": ("NoCredentials", "forbidden", "No credentials, or some that open nothing."),
    "403": ("Forbidden", "forbidden", "The credentials do not reach that far."),
    "404": ("NotFound", "not_found", "There is no such thing, or it is another project's."),
    "409": ("Conflict", "conflict", "The thing is in another state than this needs, or the key was used otherwise."),
    "412": ("Stale", "conflict", "It has changed since it was read."),
    "413": ("TooLarge", "too_large", "More than one request may carry."),
    "416": ("NoSuchRange", "invalid", "The range begins after the end."),
    "429": ("TooMany", "forbidden", "Too many requests with unknown credentials, see Retry-After."),
    "503": ("Transient", "transient", "A passing failure, see Retry-After."),
    "default": ("Other", "invalid", "Any other problem."),
}
"""What each status is called in the document, the code that usually comes with it, and what it means."""
_OFFSET = {"Upload-Offset": {"schema": {"type": "string"}, "description": "How many bytes are there now."}}
_STREAM = {"text/event-stream": {"schema": {"type": "string"}}}


SETTINGS = {
    "type": "object",
    "properties": {
        "lease_minutes": {"type": "number", "exclusiveMinimum": 0, "maximum": LEASE_MINUTES_LIMIT},
        "review": {"type": "boolean", "description": "Whether all work is reviewed."},
        "mirror": {
            "type": "boolean",
            "description": "Whether delivered work is kept as files in the project's folder.",
        },
    },
    "additionalProperties": False,
}
"""A project's (tasks/validators.py)."""


class Schema(AutoSchema):
    """One operation of the document."""

    view: Any

    def get_operation(self, *place: Any) -> dict[str, Any]:
        """Describe the operation, and then what no table of the framework knows of."""
        operation: dict[str, Any] = super().get_operation(*place) or {}
        operation["parameters"] = [*operation.get("parameters", ()), *self._headers()]
        if self._is_part():
            operation["requestBody"] = {"content": {PART: {"schema": {}}}, "required": True}
        elif "requestBody" in operation:
            fields = self.get_request_serializer()().fields.values()
            operation["requestBody"]["required"] = any(field.required for field in fields)
        self._tell_other_types(operation["responses"])
        self._tell_problems(operation["responses"])
        return {name: part for name, part in operation.items() if part != []} | self._security()

    # What it is called

    @property
    def doing(self) -> str:
        """The action; the method in small letters where the view has no actions."""
        return str(getattr(self.view, "action", None) or self.method.lower())

    def get_operation_id(self) -> str:
        """Name the operation by what is between the variables of its address, and what is done there."""
        nouns, done = self._nouns() or ["index"], self.doing
        return "_".join(nouns if nouns[-1] == done else [*nouns, done])

    def get_tags(self) -> list[str]:
        """Group the operations by the first word of their address."""
        return self._nouns()[:1] or ["index"]

    def get_summary(self) -> str:
        """Say what the method says of itself."""
        return self._words().partition("\n")[0].rstrip(".")

    def get_description(self) -> str:  # type: ignore[override]  # as in the package itself
        """Say more, and which scope it takes."""
        scope = f"Needs the scope `{needed(self.view, self.method).value}`." if self._is_guarded() else ""
        return "\n\n".join(filter(None, [self._words().partition("\n")[2].strip(), scope]))

    def _words(self) -> str:
        return inspect.getdoc(getattr(self.view, self.doing)) or ""

    def _nouns(self) -> list[str]:
        parts = [part.replace("-", "_").replace(".", "_") for part in self.path.removeprefix("/api/v1/").split("/")]
        return [part for part in parts if part and not part.startswith("{")]

    # Who may call it

    def get_auth(self) -> list[dict[str, list[str]]]:
        """Leave this to the document, which names the schemes; what is open to everybody says so itself."""
        return []

    def _security(self) -> dict[str, Any]:
        return {} if self._is_guarded() else {"security": []}

    def _is_guarded(self) -> bool:
        return bool(self.view.get_permissions())

    # What it takes

    def _resolve_path_parameters(self, variables: list[str]) -> list[dict[str, Any]]:
        return [parameters.in_path(name) for name in variables]

    def _get_filter_parameters(self) -> list[dict[str, Any]]:
        filtered = parameters.filters_of(getattr(self.view, "filterset_class", None)) if self.doing == "list" else []
        names = getattr(self.view, "parameters", {}).get(self.doing, ())
        return [*filtered, *(parameters.in_query(name, action=self.doing) for name in names)]

    def _get_pagination_parameters(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = super()._get_pagination_parameters()
        return [{**each, "description": parameters.PAGING[each["name"]]} for each in found]

    def get_request_serializer(self) -> Any:
        """Return what the action takes."""
        return getattr(self.view, "bodies", {}).get(self.doing)

    def map_parsers(self) -> list[str]:
        """Name the one type of a body."""
        return ["application/json"]

    def _headers(self) -> list[dict[str, Any]]:
        names = []
        if not self._is_guarded() or not hasattr(self.view, "bodies"):
            return []
        if self.method != "GET":
            names += ["Idempotency-Key"] if self.doing not in self.view.keyless else []
            names += ["Session-Id"] if self._is_in_a_session() else []
            names += ["If-Match"] if self.doing in self.view.conditional else []
            names += ["Upload-Offset"] if self._is_part() else []
        elif self.doing == "retrieve":
            names += ["If-None-Match"]
            names += ["Range", "If-Range"] if self._is_bytes() else []
        elif self._is_stream():
            names += ["Last-Event-ID"]
        return [parameters.in_header(name) for name in names]

    def _is_in_a_session(self) -> bool:
        body = self.get_request_serializer()
        return "session_id" in body().fields if body else "/tasks/" in self.path

    # What it answers

    def get_response_serializers(self) -> Any:
        """Return what the action answers by the status that it has when all went well."""
        if self._is_bytes():
            return {"200": OpenApiResponse({}, "The bytes."), "206": OpenApiResponse({}, "A range of the bytes.")}
        if self._is_zip():
            return {"200": OpenApiResponse({}, "The zip, made while it is sent.")}
        status = getattr(self.view, "statuses", {}).get(self.doing, 200)
        answers = getattr(self.view, "answers", {})
        serializer = answers.get(self.doing) or getattr(self.view, "serializer_class", None)
        return {str(status): None if status == 204 else OpenApiResponse(serializer, "Done.")}

    def _is_list_view(self, serializer: Any = None) -> bool:
        return self.doing == "list" and self.view.pagination_class is not None

    def _postprocess_serializer_schema(self, schema: Any, serializer: Any, direction: str) -> Any:
        """Bodies know all their names; answers always have all of theirs."""
        done = super()._postprocess_serializer_schema(schema, serializer, direction)
        for each in done.get("properties", {}).values():
            each.pop("readOnly", None)
        if "settings" in done.get("properties", {}):
            done["properties"]["settings"] = SETTINGS
        if isinstance(serializer, Body):
            done["additionalProperties"] = False
        else:
            done["required"] = list(done["properties"])
        return done

    def _is_bytes(self) -> bool:
        return self.path.endswith("/content")

    def _is_zip(self) -> bool:
        return self.path.endswith(".zip")

    def _is_part(self) -> bool:
        return self.path.startswith("/api/v1/uploads/") and self.method == "PATCH"

    def _is_stream(self) -> bool:
        return self.doing == "feed"

    def _tell_other_types(self, responses: dict[str, Any]) -> None:
        """Say of Markdown that it is a text and of bytes that they are of any type, and which headers there are."""
        for status, response in responses.items():
            content = response.get("content", {})
            if "text/markdown" in content:
                content["text/markdown"] = {"schema": {"type": "string"}}
            if self._is_stream():
                content.update(_STREAM)
            if self._is_bytes():
                response["content"] = {"*/*": {"schema": {}}}
            if self._is_zip():
                response["content"] = {"application/zip": {"schema": {}}}
            if self._is_part():
                response["headers"] = _OFFSET
            elif self.doing in ("retrieve", "create", "partial_update", "update"):
                response.setdefault("headers", {}).update(_ETAG)
            if status == "201":
                response["headers"]["Location"] = {"schema": {"type": "string"}, "description": "Where it is."}

    def _tell_problems(self, responses: dict[str, Any]) -> None:
        told = ["400", "401", "403", "404", "429", "503", "default"] if self._is_guarded() else ["404", "default"]
        if self.method != "GET":
            told += ["409", "413", *(["412"] if self.doing in self.view.conditional else [])]
        elif self.doing == "retrieve":
            responses["304"] = {"description": "It is as the client has it."}
        if self._is_bytes():
            told.append("416")
        responses |= {status: {"$ref": f"#/components/responses/{PROBLEMS[status][0]}"} for status in told}
        for status in sorted(responses):
            responses[status] = responses.pop(status)
