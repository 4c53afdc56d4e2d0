"""Errors in words for people; a hint for assistants alone has no words here."""

from __future__ import annotations

from orchestrator_site.kernel.errors import Hint, OrchestratorError

HINTS: dict[Hint, str] = {
    Hint.REMOVE_DEPENDENCY: "Remove the dependency.",
    Hint.RETRY_OR_UNBLOCK: "Retry or unblock it.",
    Hint.WAIT: "Try again later.",
    Hint.SEE_TASK: "Reload the task.",
    Hint.UPLOAD: "Send it as a file.",
}


def advice(error: OrchestratorError) -> str:
    return error.advice(HINTS)


def in_words(error: OrchestratorError) -> str:
    return f"{error.message} {advice(error)}".rstrip()
