"""Every operation of the OpenAPI document, called with what fits the document and with what does not.

Schemathesis makes the calls and checks every answer: no 5xx, nothing that the document does not say, nothing accepted
that it forbids, nothing refused that it allows, and nothing open to wrong credentials.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.schema.board import Board
from tests.site.processes import ROOT

pytestmark = [pytest.mark.schema, pytest.mark.timeout(700)]
EXAMPLES = 20
LOG = "log"
AT_MOST_SECONDS = 600
CONFIGURATION = """\
continue-on-failure = true
request-timeout = 30
workers = 1

[generation]
deterministic = true
with-security-parameters = false
allow-x00 = false
database = "none"

[auth.openapi]
bearer = {{ bearer = {secret} }}

# A condition that was made up does not hold.
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", 401, 403, 404, 409, 412, 416]

# What a body means is for the services to judge: a reason that is missing, a dependency on nothing.
[[operations]]
include-method = ["POST", "PUT", "PATCH", "DELETE"]
checks.positive_data_acceptance.expected-statuses = ["2xx", "3xx", 400, 401, 403, 404, 409, 412]

{dictionaries}
[parameters]
{parameters}
"""


@pytest.fixture
def site(fresh_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    """Return the address of a site that runs, and a token for it. What it logs goes into a file."""
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "orchestrator_site.settings")
    words = [sys.executable, "-m", "tests.schema.serve"]
    with (
        (tmp_path / LOG).open("w") as log,
        subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        assert process.stdout is not None
        address, secret = process.stdout.readline().split()
        yield address, secret
        process.terminate()


def configuration(secret: str, places: dict[str, list[str]]) -> str:
    session = json.dumps(places["session_id"][0])
    return CONFIGURATION.format(
        secret=json.dumps(secret),
        dictionaries="\n".join(f"[dictionaries.{name}]\nvalues = {json.dumps(them)}" for name, them in places.items()),
        parameters="\n".join(f'"path.{name}" = {{ dictionary = "{name}" }}' for name in places)
        + f'\n"header.Session-Id" = {session}',
    )


def test_every_operation_keeps_to_the_document(site: tuple[str, str], tmp_path: Path) -> None:
    address, secret = site
    chosen = tmp_path / "schemathesis.toml"
    chosen.write_text(configuration(secret, Board(address, secret).fill()))
    # Two processes, because threads that parse Python at the same time raise SystemError before Python 3.13.
    running = [_started(address, chosen, methods) for methods in ("--exclude-method=POST", "--include-method=POST")]
    printed = [each.communicate(timeout=AT_MOST_SECONDS)[0] for each in running]
    assert [each.returncode for each in running] == [0, 0], "\n".join(printed)
    selected = [re.search(r"(\d+) selected / 164 total", each) for each in printed]
    assert sum(int(each[1]) for each in selected if each) == 164
    assert "Traceback" not in (tmp_path / LOG).read_text()


def _started(address: str, chosen: Path, methods: str) -> subprocess.Popen[str]:
    words = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(chosen), "--no-color"),
        *("run", f"{address}/api/schema/", "--max-examples", str(EXAMPLES), "--phases", "examples,coverage,fuzzing"),
        methods,
    ]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "tests.schema.hooks", "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        words, cwd=chosen.parent, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
