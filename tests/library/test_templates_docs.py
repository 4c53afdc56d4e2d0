"""docs/templates.md: its example works, and its tables say what the code does."""

from __future__ import annotations

import re

import yaml
from jsonschema import Draft202012Validator

from tasks.library.catalogue import STARTERS
from tasks.library.templating.format import Type
from tasks.library.templating.reading import STEP_KEYS
from tests.library.templates import needs_of, planned, template_of
from tests.library.test_template_schema import DOCUMENT
from tests.site.processes import ROOT

PAGE = (ROOT / "docs" / "templates.md").read_text()
EXAMPLE = PAGE.partition("```yaml\n")[2].partition("```")[0]
GIVEN = {"name": "/invoices", "purpose": "Accountants", "clients": ["web", "app"]}


def rows(after: str) -> list[list[str]]:
    lines = PAGE.partition(after)[2].partition("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines if line.startswith("| `")]


def test_the_example_plans_what_the_page_says() -> None:
    found = planned(EXAMPLE, **GIVEN)
    assert needs_of(found) == {
        "build": set(), "client_1": {"build"}, "client_2": {"build", "client_1"},
        "check": {"build", "client_1", "client_2"},
    }  # fmt: skip
    assert found.left_out == ("design",)
    assert [gate["name"] for gate in found.subtasks[1].gates] == ["commit"]
    Draft202012Validator(DOCUMENT).validate(yaml.safe_load(EXAMPLE))


def test_every_key_of_a_step_and_every_type_is_explained() -> None:
    keys = [key for row in rows("| key of a step | means |") for key in re.findall(r"`(\w+)`", row[0])]
    assert sorted(keys) == sorted(STEP_KEYS)
    assert [row[0].strip("`") for row in rows("| type of a parameter | takes |")] == list(Type)


def test_the_table_of_packaged_templates_has_their_parameters() -> None:
    documented = {row[0].strip("`"): row[2] for row in rows("| name | for | parameters |")}
    real = {}
    for path in STARTERS.glob("*.yaml"):
        parameters = template_of(path.read_text()).parameters.values()
        real[path.stem] = ", ".join(f"`{each.name}`" + r"\*" * each.required for each in parameters)
    assert documented == real
