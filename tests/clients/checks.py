"""What must be so after the job: what the model was shown, and what is in the database, read without the product."""

from __future__ import annotations

from pathlib import Path

from tests.clients.model.script import Json
from tests.clients.scenario import DESCRIPTION, NEEDS, SPECIALISTS, TITLES, TOOLS, WORK_CHARACTERS, sha256, work
from tests.clients.stage import Ran, Stage
from tests.storm.audit import Audit, audit


def check_job(stage: Stage, ran: Ran, home: Path) -> Json:
    """Check a client's whole run; return the plan as the model was shown it."""
    assert ran.exit_code == 0, ran.err + ran.out
    check_addresses(stage)
    plan = check_shown(stage)
    assert f"{plan['parent_task_id']}: {len(TITLES)} parts are completed." in ran.out
    with audit(home) as found:
        found.check_everything()
        check_plan(found, plan)
        check_works(found, plan)
    return plan


def check_addresses(stage: Stage) -> None:
    """The model got the requests of the script, and the client tried to reach no other address."""
    assert [request for request in stage.requests if "body" not in request] == []


def check_shown(stage: Stage) -> Json:
    """Every result reached the model, and so did the error."""
    shown = stage.shown()
    assert [result.tool.removeprefix("mcp_board_").removeprefix("mcp__board__") for result in shown] == list(TOOLS)
    assert "not_ready" in shown[2].text
    assert "waits for 2 unfinished dependencies" in shown[2].text
    delivered = [result.facts["artifact_info"] for result in shown if result.tool.endswith("complete_subtask")]
    assert [(work["size_chars"], work["sha256"]) for work in delivered] == [
        (WORK_CHARACTERS, sha256(key)) for key in TITLES
    ]
    assert shown[-2].facts["text"] == work("guide")
    assert shown[-1].facts["complete"] is True
    assert all(title in shown[-1].facts["report"] for title in TITLES.values())
    return shown[1].facts


def check_plan(found: Audit, plan: Json) -> None:
    """The tree, its order and its dependencies are as the client sent them, and all is completed."""
    rows = found.rows("SELECT public_id, title, status, is_leaf FROM tasks_task ORDER BY position, id")
    subtasks = [(task["task_id"], task["title"], "completed", 1) for task in plan["subtasks"]]
    assert rows == [(plan["parent_task_id"], DESCRIPTION, "completed", 0), *subtasks]
    assert found.rows("SELECT specialist FROM tasks_task WHERE is_leaf ORDER BY position") == [
        (specialist,) for specialist in SPECIALISTS.values()
    ]
    edges = found.rows(
        "SELECT task.title, need.title FROM tasks_dependency JOIN tasks_task AS task ON task.id = task_id "
        "JOIN tasks_task AS need ON need.id = depends_on_id"
    )
    assert set(edges) == {(TITLES[key], TITLES[need]) for key, needs in NEEDS.items() for need in needs}


def check_works(found: Audit, plan: Json) -> None:
    """Every work is stored once, with all its characters; check_everything() compared the bytes with their hashes."""
    assert found.works() == {(task["task_id"], sha256(task["key"])) for task in plan["subtasks"]}
    stored = found.rows("SELECT sha256, size_chars, size_bytes FROM artifacts_content")
    expected = {(sha256(key), WORK_CHARACTERS, len(work(key).encode())) for key in TITLES}
    assert set(stored) == expected
    paths = found.rows("SELECT path FROM artifacts_artifactpath ORDER BY id")
    assert paths == [(f"docs/{key}.md",) for key in TITLES]


def check_actor(home: Path, actor: str, client: str) -> None:
    """Events name the authenticated actor; the name that the client claims is only on the session."""
    with audit(home) as found:
        assert found.rows("SELECT DISTINCT actor_name FROM tasks_event WHERE actor_kind = 'assistant'") == [(actor,)]
        assert found.rows("SELECT count(*) FROM tasks_event WHERE actor_kind = 'person'") == [(0,)]
        assert found.rows("SELECT DISTINCT actor_name FROM artifacts_artifactversion") == [(actor,)]
        assert found.rows("SELECT DISTINCT client_name FROM tasks_session") == [(client,)]


def owner_of(home: Path) -> str:
    """Return the name of the one user of a data folder."""
    with audit(home) as found:
        [(name,)] = found.rows("SELECT username FROM auth_user")
        return str(name)
