"""The official suite: everything against the fixtures, and by name what any server must pass against the product."""

from __future__ import annotations

import pytest

from tests.conformance.conftest import Program
from tests.conformance.programs import HERE

pytestmark = pytest.mark.conformance

# How many checks each revision has in the version of the suite that is pinned: none may go missing in silence.
REVISIONS = {"2025-06-18": 56, "2025-11-25": 84, "2026-07-28": 152}

# What needs none of the suite's own tools, with the number of its checks. Others pass without being true: the suite is
# content with any error where it expects one, and "there is no such tool" is one.
PRODUCT = {
    "2025-11-25": {
        "server-initialize": 3,
        "server-session-lifecycle": 3,
        "ping": 2,
        "tools-list": 3,
        "resources-list": 2,
        "prompts-list": 2,
        "server-sse-multiple-streams": 2,
        "dns-rebinding-protection": 2,
    },
    "2026-07-28": {
        "tools-list": 4,
        "sep-2164-resource-not-found": 4,
        "caching": 8,
        "http-header-validation": 14,
    },
}
NAMED = [(revision, scenario, checks) for revision, all in PRODUCT.items() for scenario, checks in all.items()]


@pytest.mark.parametrize("revision", REVISIONS)
def test_no_check_of_a_revision_fails(suite: Program, fixtures: str, revision: str) -> None:
    ended = suite("--url", fixtures, "--suite", "all", "--spec-version", revision)
    assert ended.checks == (REVISIONS[revision], 0), ended.out
    assert ended.code == 0


def test_of_the_extensions_only_tasks_is_not_served(suite: Program, fixtures: str) -> None:
    expected = str(HERE / "expected-failures.yml")
    ended = suite("--url", fixtures, "--suite", "all", "--expected-failures", expected)
    assert ended.code == 0, ended.out


@pytest.mark.parametrize(("revision", "scenario", "checks"), NAMED)
def test_the_product_itself_passes(suite: Program, product: str, revision: str, scenario: str, checks: int) -> None:
    ended = suite("--url", product, "--spec-version", revision, "--scenario", scenario)
    assert ended.checks == (checks, 0), ended.out
    assert ended.code == 0
