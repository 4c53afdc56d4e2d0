"""A large artifact: the most that one call carries, in and read back by ranges."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from time import perf_counter

from django.conf import settings

from tests.bench import entry_points
from tests.bench.context import Bench
from tests.bench.entry_points import Call, Failed
from tests.bench.figures import Figure, times

RANGE = 100_000


def artifact(bench: Bench) -> Iterator[Figure]:
    """Deliver it over the pipe, read every character back, compare; memory is the pair's at its peak, over idle."""
    text = _text(settings.ORCHESTRATOR_MAX_DELIVERY_BYTES // (16 if bench.quick else 1))
    size = f"{len(text.encode()) / 2**20:.0f} MiB"
    with entry_points.server(bench.home, bench.folder("artifact")) as client:
        call = entry_points.over(client)
        task_id = claimed(call)
        idle = entry_points.memory(client)["peak"]
        began = perf_counter()
        artifact_id = _delivered(call, task_id, text)
        yield Figure(f"artifact of {size} delivered by one call", perf_counter() - began, "s")
        yield Figure(f"artifact of {size}, memory of front + worker over idle, in", _over(client, idle), "MB")
        began, samples = perf_counter(), []
        _read_back(call, artifact_id, text, samples)
        yield times(f"artifact of {size}, one range of {RANGE:,} characters", samples)
        yield Figure(f"artifact of {size} read back whole and compared", perf_counter() - began, "s")
        yield Figure(f"artifact of {size}, memory of front + worker over idle, out", _over(client, idle), "MB")


def million(bench: Bench) -> Iterator[Figure]:
    """1,000,000 characters, delivered by one call and read back by one."""
    with entry_points.server(bench.home, bench.folder("million")) as client:
        timed = entry_points.Timed(entry_points.over(client), client)
        for number in range(bench.runs(10) + 1):
            text = f"{number:09d}{_text(1_050_000)}"[:1_000_000]
            sent = {"task_id": claimed(timed.call), "summary": "All of it.", "next_action": "complete"}
            done = timed("in", "complete_subtask", detailed_work=text, **sent)
            artifact_id = done["artifact_info"]["artifact_id"]
            if timed("back", "read_artifact", artifact_id=artifact_id, limit=len(text))["text"] != text:
                raise Failed("The work differs.")
        yield timed.figure("1,000,000 characters delivered, pipe", "in", skip=1, goal=60, peer=143)
        yield timed.figure("1,000,000 characters read back, pipe", "back", skip=1, goal=40, peer=53)


def _text(size: int) -> str:
    """Lines that differ, so that nothing is reported from its compression; one in eight is not ASCII."""
    lines, length, number = [], 0, 0
    while length < size:
        word = hashlib.sha256(str(number).encode()).hexdigest()
        lines.append(f"{number:09d} {word}{' äöü €' if number % 8 == 0 else ''}\n")
        length += len(lines[-1].encode())
        number += 1
    return "".join(lines[:-1])


def claimed(call: Call) -> str:
    subtask = {"title": "Write a lot", "description": "All of it.", "specialist_type": "documenter"}
    planned = call("plan_task", description="One large work", subtasks=[subtask])
    task_id: str = planned["subtasks"][0]["task_id"]
    call("execute_subtask", task_id=task_id)
    return task_id


def _delivered(call: Call, task_id: str, text: str) -> str:
    done = call("complete_subtask", task_id=task_id, summary="All of it.", detailed_work=text, next_action="complete")
    if done["artifact_info"]["sha256"] != hashlib.sha256(text.encode()).hexdigest():
        raise Failed("The stored work has another sha256.")
    artifact_id: str = done["artifact_info"]["artifact_id"]
    return artifact_id


def _read_back(call: Call, artifact_id: str, text: str, samples: list[float]) -> None:
    offset: int | None = 0
    while offset is not None:
        began = perf_counter()
        part = call("read_artifact", artifact_id=artifact_id, offset=offset, limit=RANGE)
        samples.append((perf_counter() - began) * 1000)
        if part["text"] != text[offset : offset + RANGE]:
            raise Failed(f"The work differs after {offset:,} characters.")
        offset = part.get("next_offset")


def _over(client: entry_points.StdioClient, idle: float) -> float:
    return entry_points.memory(client)["peak"] - idle
