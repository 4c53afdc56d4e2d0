"""Read request bodies: one JSON object in UTF-8, within a limit, whose strings can be stored."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import islice
from typing import Any

from rest_framework.parsers import BaseParser

from orchestrator_site.kernel.bodies import SMALL_BODY, Excess, NotUtf8, check_cost, one_of_few_large
from orchestrator_site.kernel.errors import Invalid, TooLarge, Transient, invalid
from orchestrator_site.kernel.text import unstorable_in

_PROBLEMS_LIMIT = 20
_MAYBE_UNSTORABLE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
"""How JSON writes what cannot be stored; without it, the values need not be walked."""
_KEPT_AS_BYTES = ("detailed_work",)
"""Stored as bytes, with a check of its own."""


class JsonParser(BaseParser):
    """Reads the stream itself, so that too large a body is never in memory."""

    media_type = "application/json"

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        view = (parser_context or {}).get("view")
        limit = getattr(view, "body_limit", SMALL_BODY)
        raw = stream.read(SMALL_BODY + 1)
        if len(raw) <= SMALL_BODY:
            return read(raw, limit) if raw.strip() else {}
        with one_of_few_large() as is_free:
            if not is_free:
                raise Transient("Too many large bodies at once.", retry_after_ms=10_000)
            return read(raw + stream.read(max(limit - SMALL_BODY, 0)), limit)


def read(raw: bytes, limit: int = SMALL_BODY) -> dict[str, Any]:
    """Parse a JSON object. Raises Invalid, and TooLarge where it costs too much."""
    try:
        check_cost(raw, limit)
    except Excess as excess:
        raise TooLarge(f"The body has {excess}.", next="Send less.", details=dict(excess.limit)) from excess
    except NotUtf8 as error:
        raise _not_json(error) from error
    try:
        text = raw.decode("utf-8")
        found = json.loads(text, parse_constant=_refuse_constant)
        unstorable = unstorable_in(found, besides=_KEPT_AS_BYTES) if _MAYBE_UNSTORABLE.search(text) else ()
        problems = list(islice(unstorable, _PROBLEMS_LIMIT))
    except (ValueError, RecursionError) as error:
        raise _not_json(error) from error
    if not isinstance(found, dict):
        raise Invalid("The body is not a JSON object.", next='Send one, for example {"title": "Better"}.')
    if problems:
        raise invalid(problems, next="Remove these characters.")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _not_json(error: Exception) -> Invalid:
    return Invalid(f"The body is not JSON in UTF-8: {_why(error)}.", next="Send one JSON object.")


def _why(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8"
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)
