"""orchestrator_initialize_session: where the project stands, and what to do next."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

from django.utils import timezone

from orchestrator_site.kernel.identity import Principal, Scope
from tasks.models import Event, Project, Session, Task
from tasks.services import sessions
from tests.assistants import Assistant, completion, subtask


def test_the_first_call_opens_a_session_on_the_project_of_the_working_directory(db: None, folder: Path) -> None:
    answer = Assistant(folder).call("initialize_session")
    session = Session.objects.get(public_id=answer["session_id"])
    assert session.project.root_path == str(folder)
    assert (session.client_name, session.client_version) == ("claude-code", "2.1")
    assert answer["project"] == {"slug": "shop", "name": "shop"}
    assert "plan_task" in answer["loop"]
    assert "architect" in answer["specialists"]
    assert "orchestrator_plan_task" in answer["next"]


def test_a_second_call_on_the_connection_goes_on_with_the_session(ada: Assistant) -> None:
    first, second = (ada.call("initialize_session") for _ in range(2))
    assert first["session_id"] == second["session_id"]
    assert second["resumed"] is True
    assert Event.objects.filter(verb="open_session").count() == 1


def test_a_named_folder_is_the_project_of_all_later_calls(ada: Assistant, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    ada.call("initialize_session", project_dir=str(other))
    ada.plan("A")
    assert Task.objects.get(title="A").project.root_path == str(other)
    ada.call("initialize_session", project_dir=str(ada.folder))
    ada.plan("B")
    assert Task.objects.get(title="B").project.root_path == str(ada.folder)


def test_two_folders_of_one_name_are_two_projects(ada: Assistant, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / "shop"
    other.mkdir(parents=True)
    answer = ada.call("initialize_session", project_dir=str(other))
    assert answer["project"]["slug"] == "shop-2"
    assert Project.objects.count() == 2


def test_what_is_in_progress_says_whose_it_is_and_what_to_do(ada: Assistant, bob: Assistant) -> None:
    ada.plan("A", "B", "C")
    mine = ada.call("execute_subtask")["task_id"]
    left = bob.call("execute_subtask")["task_id"]
    sessions.end_connection(bob.caller.connection_id)
    carol = Assistant(ada.folder)
    held = carol.call("execute_subtask", task_id=Task.objects.get(title="C").public_id)["task_id"]
    answer = ada.call("initialize_session")
    assert [(row["task_id"], row["whose"]) for row in answer["in_progress"]] == [
        (mine, "yours"),
        (left, "free"),
        (held, "held"),
    ]
    assert all(row["next"] for row in answer["in_progress"])
    assert "orchestrator_execute_subtask(task_id)" in answer["next"]


def test_what_waits_for_a_person_and_what_was_sent_back_is_shown_with_why(ada: Assistant) -> None:
    ada.call("plan_task", description="A job", subtasks=[subtask("A", review=True), subtask("B"), subtask("C")])
    a, b, c = (task.public_id for task in Task.objects.filter(is_leaf=True).order_by("id"))
    ada.complete(a)
    ada.call("update_task", task_id=b, action="block", reason="No access")
    ada.complete(c)
    ada.call("update_task", task_id=c, action="request_revision", reason="Fix it")
    answer = ada.call("initialize_session")
    assert {(row["task_id"], row["status"], row.get("reason")) for row in answer["waits_for_a_person"]} == {
        (a, "in_review", None),
        (b, "blocked", "No access"),
    }
    assert answer["waits_for_a_person_total"] == 2
    assert [(row["task_id"], row["reason"]) for row in answer["needs_revision"]] == [(c, "Fix it")]
    assert answer["next_ready"]["task_id"] == c


def test_the_answer_is_bounded_on_a_large_board(ada: Assistant) -> None:
    for _ in range(3):
        ada.call(
            "plan_task",
            description="A job",
            subtasks=[subtask(f"A long title number {n} " + "x" * 200, review=True) for n in range(60)],
        )
    tasks = list(Task.objects.filter(is_leaf=True).order_by("id"))
    for task in tasks[:40]:
        ada.complete(task.public_id)
    for task in tasks[40:80]:
        ada.call("update_task", task_id=task.public_id, action="block", reason="No access " * 100)
    for task in tasks[80:120]:
        ada.call("execute_subtask", task_id=task.public_id)
    for task in tasks[:20]:
        ada.call("update_task", task_id=task.public_id, action="request_revision", reason="Fix it " * 100)
    outcome = ada.send("initialize_session")
    assert len(outcome.text.encode()) <= 3 * 1024
    assert outcome.payload["counts"] == {
        "pending": 60,
        "active": 40,
        "in_review": 20,
        "needs_revision": 20,
        "blocked": 40,
    }
    assert outcome.payload["waits_for_a_person_total"] == 60


def test_a_handle_carries_a_session_over_to_another_connection(ada: Assistant) -> None:
    handle = ada.call("initialize_session")["session_id"]
    task = ada.plan("A")["A"]
    ada.call("execute_subtask", task_id=task)
    again = Assistant(ada.folder)
    assert again.call("execute_subtask", task_id=task, session_id=handle)["renewed"] is True
    assert again.complete(task, session_id=handle)["status"] == "completed"


def test_an_ended_or_unknown_handle_is_refused(ada: Assistant, bob: Assistant) -> None:
    handle = ada.call("initialize_session")["session_id"]
    sessions.end_connection(ada.caller.connection_id)
    assert bob.refused("get_status", session_id=handle)["code"] == "conflict"
    assert bob.refused("get_status", session_id="session_nowhere")["code"] == "not_found"


def test_broken_role_files_are_reported(ada: Assistant) -> None:
    roles = ada.folder / ".task_orchestrator" / "roles"
    roles.mkdir(parents=True)
    (roles / "shop.yaml").write_text("tester: [unclosed\n")
    (problem,) = ada.call("initialize_session")["role_problems"]
    assert "shop.yaml, line" in problem
    assert "not valid YAML" in problem


def test_one_key_of_two_assistants_opens_two_sessions(ada: Assistant, bob: Assistant) -> None:
    ada.plan("A", "B")
    ids = [each.call("initialize_session", idempotency_key="init")["session_id"] for each in (ada, bob)]
    assert len(set(ids)) == 2
    tasks = [each.call("execute_subtask", idempotency_key="next")["task_id"] for each in (ada, bob)]
    assert len(set(tasks)) == 2


def test_a_call_with_a_handle_does_not_change_the_project_of_the_others(ada: Assistant, tmp_path: Path) -> None:
    first = ada.call("initialize_session")["session_id"]
    other = tmp_path / "other"
    other.mkdir()
    ada.call("initialize_session", project_dir=str(other))
    Session.objects.update(last_seen_at=timezone.now() - timedelta(minutes=5))
    ada.call("get_status", session_id=first)
    ada.plan("A")
    assert Task.objects.get(title="A").project.root_path == str(other)


def test_subagents_on_one_connection_have_sessions_of_their_own(ada: Assistant) -> None:
    main = ada.call("initialize_session")["session_id"]
    first, second = (ada.call("initialize_session", new_session=True)["session_id"] for _ in range(2))
    assert len({main, first, second}) == 3
    assert ada.call("initialize_session")["session_id"] == main
    assert "session_id" in ada.call("initialize_session", new_session=True)["next"]


def test_only_who_resumes_a_session_hears_of_new_ones(ada: Assistant) -> None:
    again = ada.call("initialize_session")
    assert again["resumed"] and "new_session=true" in again["next"]
    own = ada.call("initialize_session", new_session=True)
    assert "new_session=true" not in own["next"]
    other = Assistant(ada.folder).call("initialize_session")
    assert "new_session=true" not in other["next"]


def test_what_one_subagent_claimed_the_other_cannot_renew_or_complete(ada: Assistant) -> None:
    task = ada.plan("A")["A"]
    first, second = (ada.call("initialize_session", new_session=True)["session_id"] for _ in range(2))
    ada.call("execute_subtask", task_id=task, session_id=first)
    for session in (second, None):
        error = ada.refused("execute_subtask", task_id=task, session_id=session)
        assert error["code"] == "conflict"
        assert "claude-code" in error["message"]
        assert first not in str(error)
        assert first.endswith(error["details"]["holder_session"].removeprefix("…"))
        assert not second.endswith(error["details"]["holder_session"].removeprefix("…"))
        assert ada.refused("complete_subtask", **completion(task), session_id=session)["code"] == "conflict"
        assert ada.refused("update_task", task_id=task, action="release", session_id=session)["code"] == "conflict"
    assert ada.call("execute_subtask", task_id=task, session_id=first)["renewed"] is True
    assert ada.complete(task, session_id=first)["status"] == "completed"


def test_a_subagent_may_have_another_project(ada: Assistant, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    ada.call("initialize_session")
    ada.call("initialize_session", new_session=True, project_dir=str(other))
    ada.plan("A")
    assert Task.objects.get(title="A").project.root_path == str(ada.folder)


def test_the_sessions_of_subagents_end_with_the_connection(ada: Assistant) -> None:
    ada.call("initialize_session", new_session=True)
    ada.call("initialize_session", new_session=True)
    sessions.end_connection(ada.caller.connection_id)
    assert not Session.objects.filter(ended_at=None).exists()


def test_a_retry_with_the_same_key_opens_one_session_for_a_subagent(ada: Assistant) -> None:
    keys = ["a", "a", "b"]
    ids = [ada.call("initialize_session", new_session=True, idempotency_key=key)["session_id"] for key in keys]
    assert ids[0] == ids[1] != ids[2]


def test_an_empty_board_names_one_with_open_plans_that_may_be_meant(ada: Assistant, tmp_path: Path) -> None:
    ada.plan("A")
    assert "note" not in ada.call("initialize_session")
    namesake, inner, unrelated = tmp_path / "backup" / "shop", ada.folder / "packages", tmp_path / "unrelated"
    for folder, is_in_doubt in ((namesake, True), (inner, True), (unrelated, False)):
        folder.mkdir(parents=True)
        answer = Assistant(folder).call("initialize_session")
        assert ("1 open plan" in answer.get("note", "")) is is_in_doubt
        assert str(tmp_path) not in str(answer)
    shutil.rmtree(ada.folder)
    assert "(shop)" in Assistant(unrelated).call("initialize_session")["note"]
    Task.objects.update(archived_at=timezone.now(), is_ready=False)
    assert "note" not in Assistant(unrelated).call("initialize_session")


def test_an_assistant_finds_its_board_in_a_folder_that_was_renamed(ada: Assistant, tmp_path: Path) -> None:
    ada.plan("A")
    answer = Assistant(ada.folder.rename(tmp_path / "store")).call("initialize_session")
    assert (answer["project"]["slug"], answer["counts"]) == ("shop", {"pending": 1})


def over_http(folder: Path, *scopes: Scope, project: Project | None = None) -> Assistant:
    """Return an assistant with an access token."""
    assistant = Assistant(folder)
    assistant.caller.connection_id = ""
    assistant.caller.principal = Principal(
        "ada/laptop", frozenset(scopes), token_id="token_1", project_id=project.pk if project else None
    )
    return assistant


def places(folder: Path) -> list[str]:
    """Return paths that a stranger might try: folders, files, what is missing, and what is no path."""
    (folder / "file").write_text("x")
    (folder / "loop").symlink_to("loop")
    names = [".", "..", "file", "loop", "none", "x" * 300]
    return [*(str(folder / name) for name in names), "/", str(Path.home()), "/root", "relative"]


def test_who_may_only_read_makes_no_project_and_learns_nothing_of_folders(ada: Assistant, tmp_path: Path) -> None:
    reader = over_http(tmp_path, Scope.READ)
    answers = [reader.refused("initialize_session", project_dir=place) for place in places(tmp_path)]
    assert {(each["code"], each["message"]) for each in answers} == {("forbidden", answers[0]["message"])}
    assert answers[0]["details"] == {"scope": "write"}
    assert reader.call("initialize_session", project_dir=str(ada.folder))["project"]["slug"] == "shop"
    assert Project.objects.count() == 1


def test_a_token_of_one_project_gets_one_answer_for_every_other_folder(ada: Assistant, tmp_path: Path) -> None:
    other = Assistant(tmp_path / "other")
    other.folder.mkdir()
    other.call("initialize_session")
    bound = over_http(tmp_path, *Scope, project=Project.objects.get(slug="shop"))
    tried = [*places(tmp_path), str(other.folder)]
    answers = [bound.refused("initialize_session", project_dir=place) for place in tried]
    assert all(each == answers[0] for each in answers)
    assert answers[0]["code"] == "not_found"
    (ada.folder / "src").mkdir()
    assert bound.call("initialize_session", project_dir=str(ada.folder))["project"]["slug"] == "shop"
    assert Project.objects.count() == 2


def test_a_token_of_one_project_is_not_shown_the_boards_of_others(ada: Assistant, tmp_path: Path) -> None:
    ada.plan("A")
    namesake = Assistant(tmp_path / "backup" / "shop")
    namesake.folder.mkdir(parents=True)
    assert namesake.call("initialize_session")["note"]
    bound = over_http(tmp_path, *Scope, project=Project.objects.get(slug="shop-2"))
    assert "note" not in bound.call("initialize_session", project_dir=str(namesake.folder))
