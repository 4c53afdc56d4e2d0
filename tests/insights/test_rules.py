"""Ordered rules: each has a title that meets it first, and what no rule knows is left open."""

from __future__ import annotations

import subprocess
import sys

import pytest
import yaml

from tasks.insights.routing.bayes import Counts
from tasks.insights.routing.blend import by_rules
from tasks.insights.routing.rules import RULES, matching
from tests.insights.test_words import HOSTILE
from tests.mcp.stdio_client import ROOT

PACKAGED = tuple(yaml.safe_load((ROOT / "tasks" / "default_roles.yaml").read_text()))
EXAMPLES = {
    "docs: say how to install it": "type is docs",
    "test(parser): broken input": "type is test",
    "fix(login)!: loop of redirects": "type is fix",
    "Spike: caches": "type is spike",
    "RFC 12: names of events": "type is design",
    "Review: payments": "type is review",
    "refactor(core): smaller modules": "type is a change",
    "Would be nice to have a dark theme": "a wish",
    "Add a review button": "a thing for it",
    "Review the payment module": "to review",
    "Check the pull request on caching": "before it goes out",
    "Check the permissions for gaps": "to check by list",
    "Do a security audit of the tokens": "to do a review",
    "Fix a typo on the home page": "a fault in prose",
    "Find out what customers call it": "to find out by reading",
    "Fix the redirect after login": "to fix",
    "Investigate the memory leak in the worker": "to look into a fault",
    "Document the export": "to document",
    "Write a guide to exports": "to write prose",
    "Test the backup": "to test",
    "Add unit tests for the parser": "to write tests",
    "Soak test: two days on the server": "a trial",
    "Why is the report empty": "why",
    "Orders and stock: which service owns what": "a question of design",
    "Compare message queues": "to find out",
    "Redis or Memcached?": "a question",
    "Feasibility of signing on the device": "a study",
    "Design the settings page": "to draw what is seen",
    "Design the schema of events": "to design",
    "Write the threat model": "a design to write",
    "Release notes of version 5": "prose by its name",
    "Upload is broken": "something fails",
    "Implement sign-in with OAuth": "to build",
    "Signing: load tests": "tests",
    "Intermittent timeouts behind the proxy": "a fault",
    "Signing in as it is said in the handbook": "prose",
    "Weekend rehearsal": "a rehearsal",
    "Failover: standby or both at once": "one or the other",
    "Ledger invariants": "architecture",
    "Quarterly access audit": "review",
    "User survey": "research",
    "Payments: ability to refund": "a change",
    "Images blink after scrolling": "what happens",
}


@pytest.mark.parametrize(("title", "name"), EXAMPLES.items(), ids=EXAMPLES.values())
def test_a_title_meets_a_rule_first(title: str, name: str) -> None:
    found = matching(title, PACKAGED)
    assert [rule.name for rule in sorted(found, key=RULES.index)] == [rule.name for rule in found]
    assert found[0].name == name


def test_every_rule_has_an_example_and_names_a_packaged_specialist() -> None:
    assert sorted(EXAMPLES.values()) == sorted(rule.name for rule in RULES)
    assert {rule.specialist for rule in RULES} == set(PACKAGED)


@pytest.mark.parametrize(
    "title", ["Benutzerkonto anlegen", "Ajouter un panier", "ログイン画面を作る", "Добавить корзину"]
)
def test_titles_in_other_languages_meet_no_rule(title: str) -> None:
    assert matching(title, PACKAGED) == []
    assert by_rules([], Counts(), PACKAGED).is_unsure(0.6)


@pytest.mark.parametrize("title", ["Adding paging", "Added paging", "Creating a page", "Moved it", "Stopping it"])
def test_other_forms_of_a_verb_are_known(title: str) -> None:
    assert matching(title, PACKAGED)[0].name == "to build"


def test_marks_before_a_title_change_nothing() -> None:
    titles = ("[API] Add paging", "1. Add paging", "- Please add paging", "  ADD PAGING")
    assert {matching(title, PACKAGED)[0].name for title in titles} == {"to build"}


def test_only_specialists_that_are_there_are_named() -> None:
    assert {rule.specialist for rule in matching("Test the backup", ["implementer"])} <= {"implementer"}


@pytest.mark.parametrize("texts", HOSTILE.values(), ids=HOSTILE)
def test_any_title_can_be_given(texts: tuple[str, str]) -> None:
    assert all(rule.specialist in PACKAGED for rule in matching(texts[0], PACKAGED))


def test_no_title_keeps_a_rule_busy() -> None:
    rows = ("[]", "[", "[a] ", "1.", "1. ", "-", ":", "- ", "a ", "x-", "please ", "check it ", "fix(", "\ufdfa:", "? ")
    code = f"""
from tasks.insights.routing.rules import KNOWN, matching
for row in {rows!r}:
    for begin in ("", "[] ", "find out ", "overview for "):
        matching(begin + row * 500, KNOWN)
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)
