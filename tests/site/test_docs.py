"""What the documentation says about tools and states is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from orchestrator_site.mcp import registry
from tasks.choices import Verb
from tasks.state_machine import TABLE
from tests import assistants

ROOT = Path(__file__).resolve().parents[2]
assert assistants  # registers the tools


def table_after(page: str, heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading of a page."""
    text = (ROOT / "docs" / page).read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def names(cell: str) -> list[str]:
    return re.findall(r"`(\w+)`", cell)


def test_the_table_of_arguments_is_that_of_the_tools() -> None:
    documented = {}
    for line in (
        (ROOT / "docs" / "tools.md").read_text().partition("## Arguments")[2].partition("## Answers")[0].splitlines()
    ):
        cells = line.split("|")
        if len(cells) == 5 and names(cells[1]):
            documented[names(cells[1])[0]] = (names(cells[2]), names(cells[3]))
    real = {}
    for tool in registry.tools(["all"]):
        fields = tool.arguments.model_fields
        required = [name for name, field in fields.items() if field.is_required()]
        real[tool.name] = (required, [name for name in fields if name not in required])
    assert documented == real


def test_the_table_of_states_is_that_of_the_code() -> None:
    documented = {row[0]: (row[1].split(", "), row[2].split(", ")) for row in table_after("states.md", "States")}
    real = {verb.value: (sorted(rule.sources), sorted(rule.targets)) for verb, rule in TABLE.items() if verb in Verb}
    assert documented == real


def test_every_page_that_is_linked_exists() -> None:
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
