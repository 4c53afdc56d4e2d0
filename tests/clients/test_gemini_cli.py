"""Gemini CLI does the whole job."""

from __future__ import annotations

from tests.clients.checks import check_actor, check_job, owner_of
from tests.clients.conftest import TOKEN_NAME, Board
from tests.clients.programs import gemini_cli
from tests.clients.stage import Stage


def test_gemini_cli_does_the_job_over_http(stage: Stage, board: Board) -> None:
    ran = gemini_cli(stage, board.url, board.token)
    check_job(stage, ran, board.home)
    assert (ran.events[-1]["type"], ran.events[-1]["status"]) == ("result", "success")
    check_actor(board.home, f"{owner_of(board.home)}/{TOKEN_NAME}", "gemini-cli-mcp-client")
