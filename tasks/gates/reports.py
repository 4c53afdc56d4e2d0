"""Test reports in the form of JUnit XML, read without entities, and what speaks against one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from orchestrator_site.kernel.secret_text import without_secrets
from tasks.gates.definition import Gate

REPORT_BYTES = 4 * 1024 * 1024
NAMED = 10
_ENDINGS = {"failure": "failed", "error": "failed", "skipped": "skipped"}
_NOT_RUN = {"notrun", "disabled", "suppressed", "skipped"}
"""What GoogleTest and others have in the attributes of a test, without an element that says so."""
_COUNTED = ("tests", "failures", "skipped")


class UnreadableReport(ValueError):
    """What came is no report; the text says why."""


@dataclass(slots=True)
class Report:
    """The tests of a report by their names, each `passed`, `failed` or `skipped`."""

    cases: list[tuple[str, str]] = field(default_factory=list)

    def names(self, ending: str) -> list[str]:
        return [name for name, how in self.cases if how == ending]

    @property
    def facts(self) -> dict[str, Any]:
        failed = self.names("failed")
        counts = {"tests": len(self.cases), "failures": len(failed), "skipped": len(self.names("skipped"))}
        named = [without_secrets(name[:2_000], {})[:200] for name in failed[:NAMED]]  # they are kept, the report is not
        return {**counts, **({"failed": named} if failed else {})}


def read_report(text: str) -> Report:
    """Read a report. Raises UnreadableReport for what is none, is too large, or declares a document type."""
    raw = text.encode(errors="replace")
    if len(raw) > REPORT_BYTES:
        raise UnreadableReport(f"the report has {len(raw):,} bytes, {REPORT_BYTES:,} are allowed")
    reader = _Reader()
    try:
        reader.parser.Parse(raw, True)
    except expat.ExpatError as error:
        raise UnreadableReport(f"the report is no XML: {error}") from error
    if not reader.is_report:
        raise UnreadableReport("the report is no JUnit XML: its root is neither testsuites nor testsuite")
    return reader.report


class _Reader:
    def __init__(self) -> None:
        self.report, self.is_report, self.depth = Report(), False, 0
        self.parser = expat.ParserCreate("utf-8")
        self.parser.StartDoctypeDeclHandler = self._forbidden
        self.parser.EntityDeclHandler = self._forbidden
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end

    def _forbidden(self, *_: Any) -> None:
        raise UnreadableReport("the report declares a document type or entities, which are not read")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if self.depth == 0:
            self.is_report = name in ("testsuites", "testsuite")
        self.depth += 1
        if name == "testcase":
            full = ".".join(filter(None, (attributes.get("classname"), attributes.get("name"))))
            said = {attributes.get("status", "").lower(), attributes.get("result", "").lower()}
            self.report.cases.append((full, "skipped" if said & _NOT_RUN else "passed"))
        elif name in _ENDINGS and self.report.cases:
            case, before = self.report.cases[-1]
            self.report.cases[-1] = case, before if before == "failed" else _ENDINGS[name]

    def _end(self, _: str) -> None:
        self.depth -= 1


def against(gate: Gate, facts: dict[str, Any], report: Report | None) -> str:
    """Return what speaks against a report, or against its figures alone; nothing where it counts."""
    return next(_problems(gate, facts, report), "")


def _problems(gate: Gate, facts: dict[str, Any], report: Report | None) -> Iterator[str]:
    tests, failures, skipped = (int(facts.get(name) or 0) for name in _COUNTED)
    if tests <= 0:
        yield "no test was run, whatever the exit code says"
    if failures:
        named = f": {', '.join(facts['failed'])}" if facts.get("failed") else ""
        yield f"{failures:,} of {tests:,} tests failed{named}"
    if gate.max_skipped is not None and skipped > gate.max_skipped:
        yield f"{skipped:,} tests were skipped, {gate.max_skipped:,} may be"
    if skipped >= tests:
        yield "every test was skipped"
    passed = set(report.names("passed")) if report else set()
    for name in gate.tests:
        if not any(each == name or each.endswith((f".{name}", f"::{name}")) for each in passed):
            yield f"the test {name} is not among those that passed"
