"""Errors in words for people. Services advise assistants too, and what names a tool helps nobody on a page."""

from __future__ import annotations

from orchestrator_site.kernel.errors import OrchestratorError

_FOR_ASSISTANTS = "orchestrator_"


def advice(error: OrchestratorError) -> str:
    """Return what to do next, where that is for people."""
    return "" if _FOR_ASSISTANTS in error.next else error.next


def in_words(error: OrchestratorError) -> str:
    """Return what happened, and what to do next."""
    return f"{error.message} {advice(error)}".rstrip()
