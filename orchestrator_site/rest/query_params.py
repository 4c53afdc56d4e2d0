"""Whole numbers in the query of an address."""

from __future__ import annotations

from rest_framework.request import Request

from orchestrator_site.kernel.errors import Invalid

_DIGITS = 10


def whole_in(request: Request, name: str, *, least: int, most: int) -> int | None:
    """Return the number that a parameter holds, None where it was not sent.

    Raises Invalid for anything but digits, and for a number out of bounds.
    """
    text = request.query_params.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS and least <= int(text) <= most):
        raise Invalid(f"{name}: a whole number from {least} to {most} is wanted.", next="Send it so, or leave it out.")
    return int(text)
