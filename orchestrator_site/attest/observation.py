"""Observes one run of a command: the files before and after it, what it printed, and the report that it wrote."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator_site.attest.board import Asked
from orchestrator_site.attest.redaction import scrubbed, without_secrets
from orchestrator_site.attest.running import Ran, Show, run
from orchestrator_site.kernel.folders import InTheWay, opened_file, read_within
from orchestrator_site.kernel.text import storable
from tasks.gates.reports import REPORT_BYTES
from tasks.gates.tree import Tree, key_of, read_tree
from tasks.services.look import PLACE

_NAMED = 5


@dataclass(frozen=True, slots=True)
class Observed:
    """A run with what speaks against it, in a sentence; `report` is the JUnit XML that came of it."""

    ran: Ran
    tree: Tree
    problem: str
    output: str
    report: str


def observe(
    asked: Asked, *, folder: Path, besides: Collection[str], environ: Mapping[str, str], show: Show
) -> Observed:
    """Run a command in the project's folder. `besides` are the files that commands write as their reports."""
    report = Path(os.path.realpath((folder / asked.report).parent), Path(asked.report).name) if asked.report else None
    before, was = read_tree(folder, besides=besides), _identity(report)
    ran = run(
        asked.argv, folder=folder, environment=scrubbed(environ), timeout_seconds=asked.timeout_seconds, show=show
    )
    after = read_tree(folder, besides=besides)
    written = _content(report) if report and _identity(report) != was else ""
    return Observed(
        ran, after, _problem(ran, asked, before.changed_to(after)),
        storable(ran.output.text(lambda text: without_secrets(text, environ))), without_secrets(written, environ),
    )  # fmt: skip


def pieces_of(observed: Observed, asked: Sequence[Asked], folder: Path) -> list[dict[str, Any]]:
    """Return the evidence for each gate that was asked about, as a board takes it."""
    ran = observed.ran
    facts = {"seconds": ran.seconds, PLACE: key_of(folder)}
    facts |= {"exit_code": ran.exit_code} if ran.exit_code is not None else {}
    return [
        {
            "gate": each.gate, "challenge": each.token, "summary": observed.problem, "facts": facts,
            "output": observed.output, "report": observed.report, "fingerprint": observed.tree.fingerprint,
            "commit": observed.tree.commit, "passed": False if observed.problem else None,
        }
        for each in asked
    ]  # fmt: skip


def _problem(ran: Ran, asked: Asked, changed: Sequence[str]) -> str:
    if ran.exit_code is None:
        return f"{asked.command} took longer than {asked.timeout_seconds:.0f} seconds and was ended"
    if ran.exit_code:
        return f"{asked.command} ended with exit code {ran.exit_code}"
    if changed:
        more = f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
        named = os.fsencode(", ".join(changed[:_NAMED])).decode("utf-8", "replace")  # whatever the locale
        return f"{asked.command} changed the files that it ran on: {named}{more}"
    return ""


def _identity(file: Path | None) -> tuple[int, ...]:
    """Return what changes whenever a file is written, by no clock of ours."""
    try:
        found = os.lstat(file) if file else None
    except OSError:
        return ()
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns) if found else ()


def _content(file: Path) -> str:
    """Read a report: what is no plain file, or too large, is none."""
    try:
        with opened_file(file) as handle:
            content = read_within(handle, REPORT_BYTES)
    except (InTheWay, OSError):
        return ""
    return storable(content.decode("utf-8", "replace")) if len(content) <= REPORT_BYTES else ""
