"""Hints: a code in every error, worded once per entry point."""

from __future__ import annotations

import re
from pathlib import Path

from django.conf import settings

from orchestrator_site.kernel.errors import Hint, NotReady
from orchestrator_site.mcp import dispatch as mcp
from orchestrator_site.rest import problems as rest
from orchestrator_site.web import advice as web

SERVICES = ("tasks/services", "tasks/selectors", "artifacts/services", "artifacts/selectors")


def test_assistants_and_api_clients_have_words_for_every_hint() -> None:
    assert set(mcp.HINTS) == set(rest.HINTS) == set(Hint)


def test_only_assistants_read_names_of_tools() -> None:
    assert not [words for words in (*rest.HINTS.values(), *web.HINTS.values()) if "orchestrator_" in words]


def test_services_name_no_entry_point() -> None:
    files = [file for folder in SERVICES for file in Path(settings.BASE_DIR, folder).rglob("*.py")]
    assert len(files) > 30
    named = re.compile(r"orchestrator_(?!site|words|stem|plain)[a-z]|/api/v1|execute_subtask|complete_subtask")
    assert [file.name for file in files if named.search(file.read_text())] == []


def test_a_hint_without_words_is_left_out() -> None:
    error = NotReady("No task is ready.", hint=Hint.PLAN)
    assert (error.advice({}), error.advice({Hint.PLAN: "Plan."})) == ("", "Plan.")
    assert web.advice(error) == ""
