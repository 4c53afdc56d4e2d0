"""What schemathesis cannot know of valid requests: loaded by it, by name."""

from __future__ import annotations

from typing import Any

import schemathesis

# The bytes of an upload go as they are.
schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """A cursor is what a page answered and cannot be made up; a session is named once, in the header or in the body.

    Works without a path lie in no folder, and what is looked for in one work is narrowed by nothing else.
    """
    if case.query:
        case.query.pop("cursor", None)
    if case.query and case.query.get("pathless") == "true":
        case.query.pop("path", None)
    if case.query and "in_artifact" in case.query:
        for name in ("project", "task", "kind"):
            case.query.pop(name, None)
    if isinstance(case.body, dict) and case.headers and "Session-Id" in case.headers:
        case.body.pop("session_id", None)
