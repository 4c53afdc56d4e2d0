"""Many servers on one project: nothing is lost, nothing is done twice, nobody is refused for no reason."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.site.processes import complaints
from tests.storm.assistant import Assistant
from tests.storm.audit import audit
from tests.storm.client import Server, wait_for

pytestmark = [pytest.mark.storm, pytest.mark.timeout(240)]

SERVERS = 8
SECONDS = 20


def test_eight_servers_on_one_fresh_project(home: Path, project: Path, tell: Callable[[str], None]) -> None:
    began = time.monotonic()
    assistants = [Assistant(f"assistant {n}", lambda: Server(home, project)) for n in range(SERVERS)]
    for assistant in assistants:
        assistant.start()
    wait_for(lambda: all(each.calls or each.wrong for each in assistants), "the start of every server")
    started = time.monotonic()
    time.sleep(SECONDS)  # the length of the storm
    for assistant in assistants:
        assistant.is_working = False
    for assistant in assistants:
        assistant.join(120)
        assistant.server.end()
    seconds = time.monotonic() - started

    assert [assistant.wrong for assistant in assistants] == [[]] * SERVERS
    assert [complaints(assistant.server.log.read_text()) for assistant in assistants] == [[]] * SERVERS
    assert all(assistant.completed for assistant in assistants)
    verbs: Counter[str] = sum((each.verbs for each in assistants), Counter())
    completed = Counter(task for each in assistants for task in each.completed)
    with audit(home) as found:
        found.check_everything()
        assert found.completions() == completed
        assert max(completed.values()) == 1
        assert found.works() == {work for each in assistants for work in each.works}
        events = found.verbs()
        assert {verb: events[verb] for verb in verbs} == verbs
        assert events["open_session"] == events["end_session"] == SERVERS
        assert set(events) <= {*verbs, "open_session", "end_session", "start", "finish"}
    calls = sum(each.calls for each in assistants)
    tell(
        f"{SERVERS} servers up in {started - began:.1f} s; {calls} calls in {seconds:.1f} s ({calls / seconds:.0f}/s), "
        f"{verbs['plan']} tasks planned, {verbs['claim']} claimed, {verbs['complete']} completed, "
        f"{verbs['deliver']} works ({sum(each.large_works for each in assistants)} in files), "
        f"{sum(events.values())} events, {sum(each.not_ready for each in assistants)} times nothing ready; 0 errors"
    )
