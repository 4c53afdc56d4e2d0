"""The agent of a run on the board, over every version of the protocol that agents speak."""

from __future__ import annotations

import os
import signal
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tasks.agents.choices import RunState
from tasks.agents.services.supervise import session_actor
from tasks.agents.services.tokens import new_token
from tasks.choices import Status
from tasks.services.claim import claim
from tests.agents.rows import make_run, make_supervisor
from tests.factories import make_project, make_task
from tests.mcp.http_client import HttpClient
from tests.site.processes import shared_database, start

pytestmark = pytest.mark.django_db(transaction=True)
DELIVERY = {"summary": "Done", "detailed_work": "All of it", "next_action": "complete"}


def test_an_agent_delivers_what_its_run_holds_on_whatever_connection_it_opens(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    environ = {**os.environ, **shared_database(), "ORCHESTRATOR_HOME": str(home)}
    with start(tmp_path / "site", environ=environ) as site:
        site.wait_until_greeted()
        for modern in (True, False):
            task = make_task(make_project(), is_ready=True)
            run = make_run(task, RunState.RUNNING, supervisor=make_supervisor())
            claim(task=task, actor=session_actor(run))
            with closing(HttpClient(urlsplit(site.address).port or 0, new_token(run), modern=modern)) as client:
                if not modern:
                    client.handshake()
                client.call("orchestrator_complete_subtask", task_id=task.public_id, **DELIVERY)
            task.refresh_from_db()
            assert task.status == Status.COMPLETED
        site.end(signal.SIGTERM)
