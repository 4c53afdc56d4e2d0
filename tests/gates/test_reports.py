"""Test reports: what is read of them, and what speaks against one."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.gates.definition import gates_of, normalised
from tasks.gates.reports import REPORT_BYTES, UnreadableReport, against, read_report
from tests.gates.given import junit


def _against(text: str, **gate: Any) -> str:
    (asked,) = gates_of(normalised([{"kind": "report", **gate}])[0])
    report = read_report(text)
    return against(asked, report.facts, report)


def test_a_report_in_which_a_test_passes_counts() -> None:
    assert _against(junit("one", "two")) == ""


def test_a_report_says_how_many_tests_there_were_and_which_failed() -> None:
    facts = read_report(junit("one", failed=("two",), skipped=("three",))).facts
    assert facts == {"tests": 3, "failures": 1, "skipped": 1, "failed": ["tests.shop.two"]}


def test_what_is_kept_of_the_name_of_a_test_has_no_secret_in_it() -> None:
    assert read_report(junit(failed=("[sk-abcdefghijklmnop]",))).facts["failed"] == ["tests.shop.[[secret]]"]


@pytest.mark.parametrize(
    "text",
    [
        junit(),
        junit("one", failed=("two",)),
        junit(skipped=("one", "two")),
        '<testsuite tests="7" failures="0"/>',  # what it counts itself is not believed
        '<testsuite><testcase name="a"><error/></testcase></testsuite>',
    ],
)
def test_a_report_without_a_success_or_with_a_failure_does_not_count(text: str) -> None:
    assert _against(text)


def test_skipped_tests_are_bounded_where_the_gate_says_so() -> None:
    report = junit("one", skipped=("two", "three"))
    assert not _against(report, max_skipped=2)
    assert _against(report, max_skipped=1)


@pytest.mark.parametrize(
    "said", ['status="notrun"', 'status="run" result="skipped"', 'result="suppressed"', 'status="Disabled"']
)
def test_a_test_that_was_not_run_is_skipped_however_that_is_said(said: str) -> None:
    case = f'<testcase name="one" {said}/>'
    assert _against(f"<testsuite>{case}</testsuite>")
    other = '<testcase name="two" status="run" result="completed"/>'
    assert _against(f"<testsuite>{case}{other}</testsuite>", max_skipped=0)


def test_a_failure_outweighs_what_else_is_said_of_a_test() -> None:
    assert read_report('<testsuite><testcase status="notrun"><failure/></testcase></testsuite>').facts["failures"] == 1


@pytest.mark.parametrize("name", ["one", "shop.one", "tests.shop.one"])
def test_a_named_test_is_found_by_the_end_of_its_name(name: str) -> None:
    assert not _against(junit("one"), tests=[name])


@pytest.mark.parametrize("report", [junit("other"), junit("other", skipped=("one",)), junit("other", "not_one")])
def test_a_named_test_that_is_missing_or_skipped_does_not_count(report: str) -> None:
    assert _against(report, tests=["one"])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no XML",
        "<html/>",
        '<!DOCTYPE a [<!ENTITY b "c">]><testsuite><testcase name="&b;"/></testsuite>',
        '<!DOCTYPE testsuite SYSTEM "file:///etc/passwd"><testsuite/>',
        "<testsuite>" + "x" * REPORT_BYTES + "</testsuite>",
        "<testsuite><testcase name='a'>",
    ],
)
def test_what_is_no_plain_report_is_not_read(text: str) -> None:
    with pytest.raises(UnreadableReport):
        read_report(text)


def test_figures_alone_do_not_show_a_named_test() -> None:
    (asked,) = gates_of(normalised([{"kind": "report", "tests": ["one"]}])[0])
    assert against(asked, {"tests": 9, "failures": 0}, None)
