"""What a JSON body may cost is known before it is parsed."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest

from orchestrator_site.kernel.bodies import (
    DEPTH_LIMIT,
    LARGE_BODY,
    LARGE_CALLS,
    OBJECTS_LIMIT,
    SMALL_BODY,
    VALUES_LIMIT,
    Excess,
    check_cost,
    check_size,
)

MANY = VALUES_LIMIT + 1


@pytest.mark.parametrize(
    ("raw", "limit"),
    [
        (b"[" + b"[]," * MANY + b"[]]", "limit_values"),
        (b"[" + b"{}," * MANY + b"{}]", "limit_values"),
        (b"[" + b"0," * MANY + b"0]", "limit_values"),
        (b"[" + b'"",' * MANY * 3 + b'""]', "limit_values"),
        (b"{" + b'"a":0,' * MANY + b'"a":0}', "limit_values"),
        (b'{"x":"' + b"a" * 100 + b'\\\\","y":[' + b"[]," * MANY + b"[]]}", "limit_values"),
        (b"[" + b"{}," * OBJECTS_LIMIT + b"{}]", "limit_objects"),
        (b"[" * (DEPTH_LIMIT + 1), "limit_depth"),
        (b'{"a":' * (DEPTH_LIMIT + 1), "limit_depth"),
        (b" " * (LARGE_BODY + 1), "limit_bytes"),
    ],
    ids=[
        "lists",
        "objects",
        "numbers",
        "strings",
        "members",
        "after a backslash",
        "small objects",
        "deep lists",
        "deep objects",
        "bytes",
    ],
)
def test_what_would_cost_too_much_names_its_limit(raw: bytes, limit: str) -> None:
    with pytest.raises(Excess) as excess:
        check_cost(raw)
    assert list(excess.value.limit) == [limit]


@pytest.mark.parametrize("text", ["[{,", '\\"', '"', "\\", "\\\\[", '[","]'])
def test_what_is_inside_of_strings_costs_nothing(text: str) -> None:
    check_cost(json.dumps({"detailed_work": text * MANY, "more": [1, {"a": text}]}).encode())


def test_the_largest_plan_is_within_the_limits() -> None:
    task = {"title": "T", "description": "d", "specialist_type": "implementer", "key": "k", "priority": 1}
    task |= {"dependencies": ["x"] * 40, "files": ["y"] * 20}
    check_cost(json.dumps({"subtasks": [task] * 2000}).encode())


def test_the_check_takes_little_memory() -> None:
    raw = b"[" + b'"",[],' * (LARGE_BODY // 6 - 1) + b"0]"
    tracemalloc.start()
    with pytest.raises(Excess):
        check_cost(raw)
    assert tracemalloc.get_traced_memory()[1] < 3 * len(raw)
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("body", "fits"),
    [
        *(({"params": {"name": name}}, True) for name in sorted(LARGE_CALLS)),
        ({"params": {"name": "orchestrator_get_status"}}, False),
        ({"params": {"name": ["orchestrator_plan_task"]}}, False),
        ({"method": "ping"}, False),
        ([], False),
        (None, False),
    ],
)
def test_only_calls_that_need_it_have_a_large_body(body: Any, fits: bool) -> None:
    check_size(b" " * SMALL_BODY, body)
    if fits:
        check_size(b" " * (SMALL_BODY + 1), body)
    else:
        with pytest.raises(Excess):
            check_size(b" " * (SMALL_BODY + 1), body)
