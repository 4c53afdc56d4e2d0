"""Codex does the whole job."""

from __future__ import annotations

import pytest

from tests.clients.checks import check_actor, check_job, owner_of
from tests.clients.conftest import TOKEN_NAME, Board
from tests.clients.programs import codex
from tests.clients.stage import Stage


@pytest.mark.parametrize("model", ["unknown", "gpt-6.1-sol"], ids=["called as functions", "called from code"])
def test_codex_does_the_job_over_http(stage: Stage, board: Board, model: str) -> None:
    ran = codex(stage, board.url, board.token, model=model)
    check_job(stage, ran, board.home)
    assert ran.events[-1]["type"] == "turn.completed"
    check_actor(board.home, f"{owner_of(board.home)}/{TOKEN_NAME}", "codex-mcp-client")
