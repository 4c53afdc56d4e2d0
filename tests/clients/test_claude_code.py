"""Claude Code does the whole job."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.clients.checks import check_actor, check_job, owner_of
from tests.clients.conftest import TOKEN_NAME, Board
from tests.clients.network import ROOT
from tests.clients.programs import claude_code, http_entry, stdio_entry
from tests.clients.stage import Ran, Stage


def check_ended(ran: Ran) -> None:
    """Check the client's own account of it: connected, nothing denied, no error."""
    first, *_, last = ran.events
    assert [(server["name"], server["status"]) for server in first["mcp_servers"]] == [("board", "connected")]
    assert (last["subtype"], last["is_error"], last["permission_denials"]) == ("success", False, [])


def test_claude_code_does_the_job_over_stdio(stage: Stage, fresh_home: Path) -> None:
    ran = claude_code(stage, stdio_entry(sys.executable, ROOT / "manage.py", ORCHESTRATOR_HOME=str(fresh_home)))
    check_job(stage, ran, fresh_home)
    check_ended(ran)
    check_actor(fresh_home, owner_of(fresh_home), "claude-code")


def test_claude_code_does_the_job_over_http(stage: Stage, board: Board) -> None:
    ran = claude_code(stage, http_entry(board.url, board.token))
    check_job(stage, ran, board.home)
    check_ended(ran)
    check_actor(board.home, f"{owner_of(board.home)}/{TOKEN_NAME}", "claude-code")
