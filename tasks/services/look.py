"""What the server itself sees in the folder of a project, read outside any transaction and without running anything."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from tasks.choices import GateKind, Rung
from tasks.gates.definition import gates_of
from tasks.gates.pieces import Piece
from tasks.models import Project, Task
from tasks.repositories import git_of
from tasks.services.projects import folder
from tasks.services.verify_commit import verify_commit

PLACE = "place"
"""The fact by which observed evidence names the folder that it is about, as `tasks.gates.tree.key_of` does."""
_WORKTREES_LIMIT = 1_000
_POINTER_LIMIT = 8192


@dataclass(frozen=True, slots=True)
class Look:
    """`tree` is the fingerprint of the files as they are now; empty where there is no folder here, or no repository.

    `commits` says by gate and commit what speaks against one: nothing where it counts as verified. One that is not
    among them could not be looked up.
    """

    tree: str = ""
    commits: Mapping[tuple[str, str], str] = field(default_factory=dict)


def look_at(*, task: Task, pieces: Sequence[Piece]) -> Look:
    """Look at a project's folder for a task and the evidence that comes for it. Raises what `read_tree` raises."""
    return replace(look_at_commits(task=task, pieces=pieces), tree=_tree_now(task)) if task.gates else Look()


def look_at_commits(*, task: Task, pieces: Sequence[Piece]) -> Look:
    """Look at the commits alone that come as evidence for a task."""
    return Look(commits=_commits(task, pieces)) if task.gates else Look()


def reports_of(project: Project) -> list[str]:
    """Return the files that the commands of a project write, which are no part of what they are run on."""
    return [command["report"] for command in project.commands.values() if command.get("report")]


def _tree_now(task: Task) -> str:
    """Return what the files hold now in the folder where a command was last observed; empty where that is not here."""
    from tasks.gates.tree import key_of, read_tree  # few processes ever read files, and dulwich takes 30 ms to load

    observed = task.evidence.filter(lease_number=task.lease_number, rung=Rung.OBSERVED).exclude(fingerprint="")
    place = observed.order_by("-id").values_list(f"facts__{PLACE}", flat=True).first()
    here = next((each for each in _folders(task.project) if key_of(each) == place), None) if place else None
    return read_tree(here, besides=reports_of(task.project)).fingerprint if here else ""


def _folders(project: Project) -> Iterator[Path]:
    """Yield the folders of a project on this machine, and the worktrees of their repositories."""
    from tasks.gates.tree import content_of

    known = [project.root_path, *project.paths.values_list("path", flat=True)]
    for top in filter(None, map(folder, known)):
        yield top
        if found := git_of(top):
            with suppress(OSError):
                for each in islice((found[1] / "worktrees").iterdir(), _WORKTREES_LIMIT):
                    yield Path(os.fsdecode(content_of(each / "gitdir", _POINTER_LIMIT).strip())).parent


def _commits(task: Task, pieces: Sequence[Piece]) -> dict[tuple[str, str], str]:
    gates = {gate.name: gate for gate in gates_of(task.gates) if gate.kind == GateKind.COMMIT}
    only = next(iter(gates), "") if len(gates) == 1 else ""
    found: dict[tuple[str, str], str] = {}
    for piece in pieces:
        gate = gates.get(piece.gate or only)
        if gate is None or not piece.commit:
            continue
        base = piece.facts.get("base", "")  # only a supervisor knows it
        if looked_up := verify_commit(task=task, gate=gate, commit=piece.commit, base=base):
            found[gate.name, piece.commit] = "" if looked_up.passed else looked_up.summary
    return found
