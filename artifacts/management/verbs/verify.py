"""`manage.py artifacts verify`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from artifacts.services.verify import Finding, Totals, verify

HELP = "read all stored artifacts, and report what is missing, damaged or orphaned; deliveries may go on"


def options(parser: CommandParser) -> None:
    parser.add_argument("--repair", action="store_true", help="repair what can be repaired, and remove orphans")
    parser.add_argument(
        "--json", action="store_true", dest="as_json", help="report each problem, and the totals, as a line of JSON"
    )


def run(*, say: Callable[[str], object], repair: bool, as_json: bool, **given: Any) -> str:
    """Report each problem, and the totals last; exit code 1 where an artifact cannot be read."""
    line, summary = (_json, _json) if as_json else (_line, _summary)
    totals = verify(repair=repair, report=lambda finding: say(line(finding)))
    if totals.harms:
        say(summary(totals))
        sys.exit(1)
    return summary(totals)


def _line(finding: Finding) -> str:
    about = f"{finding.what}: {finding.name}, {finding.size_bytes:,} bytes"
    hurts = f", hurts {', '.join(finding.hurts)}" if finding.hurts else ""
    return about + hurts + (f" ({finding.done})" if finding.done else "")


def _summary(totals: Totals) -> str:
    found = ", ".join(f"{count:,} {what}" for what, count in sorted(totals.found.items())) or "nothing is wrong"
    young = f" {totals.young:,} orphans are younger than a day and left alone." if totals.young else ""
    return f"{totals.contents:,} contents, {totals.size_bytes:,} bytes: {found}.{young}"


def _json(found: Finding | Totals) -> str:
    return json.dumps(asdict(found))
