"""Observes one run of a command: the files before and after it, what it printed, and the report that it wrote."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator_site.attest.board import Asked
from orchestrator_site.attest.running import Ran, Show, run
from orchestrator_site.kernel.secret_text import is_secret, without_secrets, without_values
from orchestrator_site.kernel.text import storable
from tasks.gates.observed import ReportFile, problem_with
from tasks.gates.tree import Tree, key_of, read_tree
from tasks.services.look import PLACE


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
    report = ReportFile(folder, asked.report)
    before, was = read_tree(folder, besides=besides), report.identity()
    ran = run(
        asked.argv, folder=folder, environment=scrubbed(environ), timeout_seconds=asked.timeout_seconds, show=show
    )
    after = read_tree(folder, besides=besides)
    written = report.content() if report.identity() != was else ""
    return Observed(
        ran, after, problem_with(asked.command, ran.exit_code, asked.timeout_seconds, before.changed_to(after)),
        storable(ran.output.text(lambda text: without_secrets(text, environ))), without_values(written, environ),
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


def scrubbed(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without what is this product's own: its secrets, and the settings of its process."""
    ours = {"DJANGO_SETTINGS_MODULE": "orchestrator_site.settings"}
    return {
        name: value
        for name, value in environ.items()
        if ours.get(name) != value and not (name.startswith("ORCHESTRATOR_") and is_secret(name))
    }
