"""The snippets in docs/connect.md are what connect writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator_site.connect import documents
from orchestrator_site.connect.clients import CLIENTS, Client
from orchestrator_site.connect.entries import PLACEHOLDER, Stdio, http_entry, stdio_entry
from tests.site.machines import machine_at

PAGE = Path(__file__).resolve().parents[2] / "docs" / "connect.md"
COMMAND = Stdio("/path/to/.venv/bin/python", ("/path/to/manage.py", "mcp_serve"), home="/path/to/data")


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_the_snippet_of_a_client_is_what_connect_writes(client: Client, tmp_path: Path) -> None:
    section = PAGE.read_text().partition(f"`connect {client.name}`\n")[2].partition("\n### ")[0]
    style = client.config_files(machine_at(tmp_path))[0].style
    assert documents.snippet(stdio_entry(COMMAND, style), style) in section
    if style.url:
        assert documents.snippet(http_entry("http://127.0.0.1:8000/mcp", PLACEHOLDER, style), style) in section
