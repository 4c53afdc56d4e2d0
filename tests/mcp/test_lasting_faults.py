"""Over stdio a fault that lasts says so, and does not ask for the same call again and again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.homes import make_home
from tests.mcp.stdio_client import StdioClient, said


@pytest.mark.parametrize("state", ["a file", "below a file", "no database"])
def test_a_data_folder_that_cannot_be_used_is_unavailable(tmp_path: Path, state: str) -> None:
    home = tmp_path / "home"
    if state == "no database":
        make_home(home)
        (home / "orchestrator.sqlite3").write_text("not a database, but long enough to be read as one" * 20)
    else:
        home.write_text("in the way")
    named = home / "below" if state == "below a file" else home
    client = StdioClient(tmp_path / "any", modern=True, trial=False, ORCHESTRATOR_HOME=str(named))
    try:
        answer = said(client.answer_to(client.start_call("orchestrator_initialize_session")))
        assert answer["code"] == "unavailable", client.errors()
        assert "manage.py doctor" in answer["next"]
        client.end()
    finally:
        client.process.kill()
        client.process.wait()
        assert client.process.stdout
        client.process.stdout.close()
