"""The JSON Schema of templates: what it takes is what the product reads."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from django.test import Client
from jsonschema import Draft202012Validator

from tasks.gates.definition import normalised
from tasks.library.catalogue import SCHEMA, STARTERS
from tasks.library.templating import parameters, reading
from tests.library.templates import of_steps, problems_of, step, template_of
from tests.library.test_template_reading import BROKEN

DOCUMENT: dict[str, Any] = json.loads(SCHEMA.read_text())
VALIDATOR = Draft202012Validator(DOCUMENT)
KEYS = {
    "parameter": parameters.PARAMETER_KEYS,
    "condition": parameters.CONDITIONS,
    "step": reading.STEP_KEYS,
    "trait": reading.TRAIT_KEYS,
}
SHAPES = (
    "no title", "an unknown key", "an unknown key of a step", "a step without a description", "an unknown priority",
    "an unknown gate", "a gate with a shell", "a review that is neither", "a step called previous",
    "a name that is none", "a type that is none", "a condition that is code", "a condition that is none",
    "a trait that adds nothing", "a trait that relaxes", "a parameter called item", "no steps", "a string for steps",
    "a list for a string",
)  # fmt: skip
"""Mistakes that can be seen without knowing what the rest of the template says."""


@pytest.mark.parametrize("part", KEYS)
def test_it_knows_the_keys_that_are_read(part: str) -> None:
    assert list(DOCUMENT["$defs"][part]["properties"]) == list(KEYS[part])


def test_it_knows_the_keys_of_a_template() -> None:
    assert list(DOCUMENT["properties"]) == list(reading.TEMPLATE_KEYS)


@pytest.mark.parametrize("path", sorted(STARTERS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_starters_fit_it_and_name_it(path: Any) -> None:
    text = path.read_text()
    VALIDATOR.validate(yaml.safe_load(text))
    assert text.splitlines()[0] == "# yaml-language-server: $schema=../template.schema.json"


@pytest.mark.parametrize("case", SHAPES)
def test_it_refuses_the_shapes_that_are_refused(case: str) -> None:
    text = BROKEN[case][0]
    assert problems_of(text)
    assert not VALIDATOR.is_valid(yaml.safe_load(text))


GATES = ["report", {"command": "test"}, {"kind": "report", "max_skipped": 2, "rung": "claimed"}]


@pytest.mark.parametrize("gate", GATES, ids=str)
def test_it_takes_the_gates_that_are_taken(gate: Any) -> None:
    assert normalised([gate])[1] == []
    text = of_steps(step("a", gates=json.dumps([gate])))
    template_of(text)
    VALIDATOR.validate(yaml.safe_load(text))


def test_the_site_serves_it_to_editors(client: Client, db: None) -> None:
    answer = client.get("/api/schema/template.json")
    assert answer["Content-Type"] == "application/schema+json"
    assert answer.json() == DOCUMENT
