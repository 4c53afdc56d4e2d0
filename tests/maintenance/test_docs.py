"""What docs/maintenance.md says is what the code has."""

from __future__ import annotations

import re

from maintenance.choices import Action, Level, ScopeWord
from maintenance.services.coordinate import IN_CALL, LARGE
from tasks.project_settings.schema import ARCHIVE_DAYS, STALE_HOURS
from tests.site.processes import ROOT

TEXT = (ROOT / "docs" / "maintenance.md").read_text()


def test_every_value_of_the_coordinator_has_a_row_of_its_own() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| (.+) \|$", TEXT, re.MULTILINE)
    words = {"action": Action, "scope": ScopeWord, "validation_level": Level}
    assert [(name, value) for name, value, _ in rows] == [(name, word) for name in words for word in words[name].values]
    assert len({about for *_, about in rows}) == len(rows)


def test_the_limits_are_those_of_the_code() -> None:
    prose = " ".join(TEXT.split())
    assert all(f"{name} {hours:g}" in prose for name, hours in STALE_HOURS.items() if name != "default")
    assert all(f"{reason} {days}" in prose for reason, days in ARCHIVE_DAYS.items())
    assert f"{LARGE:,} tasks" in prose and f"up to {IN_CALL} changes" in prose
