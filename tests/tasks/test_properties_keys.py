"""An idempotency key, on whatever call: done once, answered alike, and refused for any other call."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_site.mcp import registry
from tasks.agents.choices import RunState
from tasks.models import Task
from tests.agents.rows import make_ask, make_run, make_supervisor, switch_on
from tests.assistants import Assistant
from tests.properties import all_rows, one_in, undone

pytestmark = pytest.mark.django_db

TEXTS = st.text(alphabet='aé€𝄞 \n"\\{', min_size=1, max_size=12).filter(str.strip)
KEYS = st.one_of(st.uuids().map(str), TEXTS, st.just("k" * 200))
Call = tuple[str, dict[str, Any]]
"""A tool and its arguments; task ids stand there as the numbers of tasks."""

NUMBERS = st.integers(0, 5)
TEMPLATE = "{template: spike, title: Mine, steps: [{key: a, title: A, description: B, specialist: tester}]}"
INITIALIZE = st.tuples(st.just("initialize_session"), st.just({}))
PLAN = st.tuples(
    st.just("plan_task"),
    st.fixed_dictionaries(
        {
            "description": TEXTS,
            "subtasks": st.lists(
                st.fixed_dictionaries(
                    {"title": TEXTS, "description": TEXTS, "specialist_type": st.sampled_from(["tester", "wizard"])},
                    optional={"priority": st.sampled_from(["low", "urgent"])},
                ),
                max_size=3,
            ),
        },
        optional={"context": TEXTS, "parent_task_id": NUMBERS},
    ),
)
EXECUTE = st.tuples(
    st.just("execute_subtask"),
    st.fixed_dictionaries({}, optional={"task_id": NUMBERS, "take_over": st.booleans()}),
)
COMPLETE = st.tuples(
    st.just("complete_subtask"),
    st.fixed_dictionaries(
        {
            "task_id": NUMBERS,
            "summary": TEXTS,
            "detailed_work": TEXTS | st.just("x" * 70_000),
            "next_action": st.sampled_from(["complete", "continue", "needs_revision", "blocked"]),
        },
        optional={"reason": TEXTS, "file_paths": st.lists(TEXTS, max_size=2), "lease_number": st.integers(1, 2)},
    ),
)
UPDATE = st.tuples(
    st.just("update_task"),
    st.fixed_dictionaries(
        {"task_id": NUMBERS},
        optional={
            "action": st.sampled_from(
                ["cancel", "reopen", "block", "unblock", "release", "fail", "retry", "approve", "request_revision"]
            ),
            "reason": TEXTS,
            "title": TEXTS,
            "priority": st.sampled_from(["low", "urgent", None]),
            "add_dependencies": st.lists(NUMBERS, max_size=2),
        },
    ),
)
STORE = st.tuples(
    st.just("store_artifact"),
    st.fixed_dictionaries(
        {"action": st.just("begin"), "task_id": NUMBERS},
        optional={"summary": TEXTS, "file_paths": st.lists(TEXTS, max_size=2), "expected_size": st.integers(0, 3)},
    ),
)
MAINTAIN = st.tuples(
    st.just("maintenance_coordinator"),
    st.fixed_dictionaries(
        {"action": st.sampled_from(["scan_cleanup", "validate_structure", "archive", "prepare_handover"])},
        optional={"validation_level": st.sampled_from(["basic", "comprehensive"])},
    ),
)
ISOLATE = st.one_of(
    st.tuples(st.just("execute_subtask_isolated"), st.fixed_dictionaries({"task_ids": st.lists(NUMBERS, max_size=2)})),
    st.tuples(
        st.just("spawn_isolated_session"),
        st.fixed_dictionaries({"task_id": NUMBERS}, optional={"max_turns": st.integers(1, 99)}),
    ),
    st.tuples(
        st.just("monitor_isolated_execution"),
        st.fixed_dictionaries(
            {"task_id": NUMBERS, "action": st.sampled_from(["kill", "resume", "message", "answer"])},
            optional={"text": TEXTS, "allow": st.booleans()},
        ),
    ),
    st.tuples(st.just("merge_isolated_work"), st.just({"run_id": "run_0000000000"})),
)
TEMPLATES = st.tuples(
    st.just("template_manager"),
    st.fixed_dictionaries(
        {"action": st.sampled_from(["apply_template", "create_template", "delete_template", "show_template"])},
        optional={
            "name": st.sampled_from(["spike", "feature"]),
            "parameters": st.fixed_dictionaries({"question": TEXTS}),
            "text": st.sampled_from(["", "template: x", TEMPLATE]),
        },
    ),
)
LEARN = st.tuples(
    st.just("context_library"),
    st.fixed_dictionaries(
        {"action": st.just("save_context"), "name": st.sampled_from(["first", "second"]), "text": TEXTS},
        optional={"task_id": NUMBERS, "words": st.lists(TEXTS, max_size=2)},
    ),
)
PATTERNS = st.tuples(
    st.just("pattern_extractor"),
    st.fixed_dictionaries(
        {"action": st.sampled_from(["analyze_project", "extract_patterns", "validate_pattern", "save_template"])},
        optional={"text": st.sampled_from(["", "template: x", TEMPLATE])},
    ),
)
ORDER = st.tuples(
    st.just("workload_manager"),
    st.fixed_dictionaries(
        {
            "action": st.sampled_from(["priority_boost", "defer_task", "assign_task", "check_capacity", "apply"]),
            "task_id": NUMBERS,
        },
        optional={
            "priority": st.sampled_from(["low", "urgent"]),
            "until": st.sampled_from(["2099-01-01", "soon"]),
            "client": TEXTS,
        },
    ),
)
CALLS: st.SearchStrategy[Call] = st.one_of(
    INITIALIZE, PLAN, EXECUTE, COMPLETE, UPDATE, STORE, MAINTAIN, ISOLATE, TEMPLATES, PATTERNS, LEARN, ORDER
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shop")


class Board:
    """An assistant with a plan of three tasks, one of them in its hands."""

    def __init__(self, folder: Path) -> None:
        self.assistant = Assistant(folder)
        self.assistant.call("initialize_session")
        ids = self.assistant.plan("one", "two", "three")
        self.ids = [ids["one"], ids["two"], ids["three"], ids["plan"], "tester_000000", ids["one"][:-1]]
        self.assistant.call("execute_subtask", task_id=ids["one"])
        two = Task.objects.select_related("project").get(public_id=ids["two"])
        switch_on(two.project)
        make_supervisor()
        make_ask(make_run(two, RunState.ASKING))

    def send(self, call: Call, **more: Any) -> tuple[bool, dict[str, Any]]:
        """Send a call; returns whether it is an error, and the answer."""
        tool, arguments = call
        outcome = self.assistant.send(tool, **{name: self.named(name, arguments[name]) for name in arguments}, **more)
        assert outcome.payload.get("code") != "transient", outcome.payload
        return outcome.is_error, outcome.payload

    def named(self, name: str, value: Any) -> Any:
        if name in ("task_id", "parent_task_id"):
            return self.ids[value]
        return [self.ids[number] for number in value] if name in ("add_dependencies", "task_ids") else value


@one_in(2)
@given(CALLS, KEYS)
def test_a_call_that_is_sent_again_changes_nothing_and_is_answered_alike(shop: Path, call: Call, key: str) -> None:
    with undone():
        board = Board(shop)
        before = all_rows()
        is_error, first = board.send(call, idempotency_key=key)
        after = all_rows()
        if is_error:
            assert after == before
        again_is_error, again = board.send(call, idempotency_key=key)
        assert all_rows() == after
        assert again_is_error == is_error
        assert again == (first if is_error else {**first, "replayed": True})


@one_in(2)
@given(st.lists(CALLS, min_size=2, max_size=6))
def test_a_key_keeps_its_answer_whatever_happens_after_it(shop: Path, calls: list[Call]) -> None:
    with undone():
        board = Board(shop)
        sent = [(call, str(uuid.uuid4())) for call in calls]
        answers = [board.send(call, idempotency_key=key) for call, key in sent]
        after = all_rows()
        for (call, key), (was_error, first) in zip(sent, answers, strict=True):
            if not was_error:
                assert board.send(call, idempotency_key=key) == (False, {**first, "replayed": True})
        assert all_rows() == after


@one_in(2)
@given(CALLS, CALLS, KEYS)
def test_a_key_that_was_used_is_refused_for_another_call_of_the_tool(
    shop: Path, call: Call, other: Call, key: str
) -> None:
    with undone():
        board = Board(shop)
        was_error, _ = board.send(call, idempotency_key=key)
        before = all_rows()
        is_error, answer = board.send(other, idempotency_key=key)
        if was_error or call[0] != other[0]:
            return  # an error earns nothing, and every tool has keys of its own
        if not is_error:
            assert answer["replayed"]
            assert meaning(call) == meaning(other)
        assert call != other or not is_error
        assert all_rows() == before


def meaning(call: Call) -> dict[str, Any]:
    """What a call asks for: an argument that says the default is the same as none."""
    tool, arguments = call
    (model,) = [each.arguments for each in writing_tools() if each.name == f"orchestrator_{tool}"]
    return model.model_validate({name: in_words(name, value) for name, value in arguments.items()}).model_dump()


def in_words(name: str, value: Any) -> Any:
    if name in ("add_dependencies", "task_ids"):
        return [str(number) for number in value]
    return str(value) if name in ("task_id", "parent_task_id") else value


@one_in(5)
@given(CALLS)
def test_without_a_key_nothing_is_kept_for_a_second_time(shop: Path, call: Call) -> None:
    with undone():
        board = Board(shop)
        board.send(call)
        board.send(call)
        assert all_rows()["IdempotencyKey"] == []


@one_in(5)
@given(st.sampled_from(["k" * 201, "k" * 5000]), CALLS)
def test_a_key_that_cannot_be_one_is_refused(shop: Path, key: str, call: Call) -> None:
    with undone():
        board = Board(shop)
        before = all_rows()
        is_error, answer = board.send(call, idempotency_key=key)
        assert is_error
        assert answer["code"] in ("invalid", "not_found", "conflict")
        assert all_rows() == before


def writing_tools() -> Iterator[registry.Tool[Any]]:
    """Yield the tools that change rows; an export writes only a file, and a restart changes no board."""
    writing = (tool for tool in registry.tools(["all"]) if not tool.read_only and tool.toolset != "server")
    return (tool for tool in writing if "export" not in tool.name)


def test_every_tool_that_writes_is_among_these_calls() -> None:
    strategies = {"initialize_session", "plan_task", "execute_subtask", "complete_subtask", "update_task"}
    strategies |= {"store_artifact", "maintenance_coordinator", "execute_subtask_isolated", "spawn_isolated_session"}
    strategies |= {"monitor_isolated_execution", "merge_isolated_work", "template_manager", "context_library"}
    strategies |= {"pattern_extractor", "workload_manager"}
    assert {tool.name.removeprefix("orchestrator_") for tool in writing_tools()} == strategies
    assert all("idempotency_key" in tool.arguments.model_fields for tool in writing_tools())
