"""The job of the demo: a review of this repository in ten parts, each with a long work made of real files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
DESCRIPTION = "Review this repository and write a guide to it"
MORE_THAN_CHARACTERS = 12_534


@dataclass(frozen=True, slots=True)
class Part:
    """One subtask, and the files that its work is made of."""

    key: str
    specialist: str
    title: str
    needs: tuple[str, ...]
    patterns: tuple[str, ...]

    def as_argument(self) -> dict[str, Any]:
        """Return the subtask as plan_task takes it."""
        return {
            "key": self.key,
            "title": self.title,
            "description": f"{self.title}. Quote what you speak of, so that nobody has to open the files.",
            "specialist_type": self.specialist,
            "dependencies": list(self.needs),
        }


PARTS = (
    Part("survey", "researcher", "Survey the repository", (), ("*.toml", "Makefile", "orchestrator_site/*.py")),
    Part("domain", "architect", "Describe the domain", ("survey",), ("tasks/*.py",)),
    Part("bridge", "architect", "Describe the bridge", ("survey",), ("orchestrator_site/mcp/**/*.py",)),
    Part("services", "reviewer", "Review the services", ("domain",), ("tasks/services/*.py",)),
    Part("queries", "reviewer", "Review the queries", ("domain",), ("tasks/selectors/*.py",)),
    Part("artifacts", "reviewer", "Review how work is stored", ("domain",), ("artifacts/**/*.py",)),
    Part("tools", "reviewer", "Review the tools", ("domain", "bridge"), ("tasks/tools/*.py",)),
    Part("pages", "reviewer", "Review the pages", ("domain",), ("templates/**/*.html",)),
    Part("upgrades", "tester", "Check the upgrades", ("survey",), ("maintenance/**/*.py", "tests/maintenance/*.py")),
    Part(
        "guide",
        "documenter",
        "Write the guide",
        ("services", "queries", "artifacts", "tools", "pages", "upgrades"),
        ("*.md", "docs/*.md", "tests/site/*.py"),
    ),
)


def write_works(folder: Path) -> None:
    """Write every part's work as a file: what the assistants deliver, and what is read back is compared with."""
    folder.mkdir(parents=True)
    for part in PARTS:
        _file(folder, part.title).write_text(_work(part), encoding="utf-8", newline="")


def work_on(folder: Path, title: str) -> str:
    """Return the work on the part of this title, with every character as it stands in the file."""
    return _file(folder, title).read_bytes().decode("utf-8")


def sha256(text: str) -> str:
    """Return the hash that the server must name for a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def _file(folder: Path, title: str) -> Path:
    return folder / f"{next(part.key for part in PARTS if part.title == title)}.md"


def _work(part: Part) -> str:
    """Put whole files under headings, one after the other, until the work is long enough."""
    text = f"# {part.title}\n"
    for path in _sources(part):
        text += f"\n## {path.relative_to(ROOT).as_posix()}\n\n{path.read_text(encoding='utf-8')}"
        if len(text) > MORE_THAN_CHARACTERS:
            return text
    raise ValueError(f"The files of {part.key} are too short.")


def _sources(part: Part) -> Iterator[Path]:
    for pattern in part.patterns:
        yield from sorted(path for path in ROOT.glob(pattern) if path.stat().st_size)
    yield from sorted(ROOT.glob("tests/**/test_*.py"))
