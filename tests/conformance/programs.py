"""The suite and the Inspector, which `install.sh` installs outside this tree."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.clients.installed import CLIENTS_HOME, NODE_BIN

HERE = Path(__file__).parent
INSTALL = HERE / "install.sh"
BIN = CLIENTS_HOME / "conformance/node_modules/.bin"
DEADLINE_SECONDS = 60
_TOTALS = re.compile(r"Total: (\d+) passed, (\d+) failed|Passed: (\d+)/\d+, (\d+) failed, 0 warnings")


def missing() -> bool:
    """Return whether `install.sh` must be run."""
    installed = CLIENTS_HOME / "conformance/installed"
    return not installed.is_file() or installed.read_bytes() != (HERE / "package-lock.json").read_bytes()


@dataclass(frozen=True, slots=True)
class Ended:
    """The result of a program."""

    code: int
    out: str
    err: str

    @property
    def checks(self) -> tuple[int, int]:
        """The numbers of checks that passed and failed."""
        found = _TOTALS.findall(self.out)
        assert found, self.out + self.err
        passed, failed = (int(number) for number in found[-1] if number)
        return passed, failed

    @property
    def result(self) -> dict[str, Any]:
        """The result that the Inspector received."""
        assert self.code == 0, self.err + self.out
        answer: dict[str, Any] = json.loads(self.out)["result"]
        return answer


def run(program: str, *words: str, folder: Path) -> Ended:
    """Run `conformance` or `mcp-inspector` with a scratch folder as working directory, and another one as home."""
    (home := folder.with_name(f"{folder.name}-user")).mkdir(exist_ok=True)
    environ = {"HOME": str(home), "PATH": f"{NODE_BIN}:{os.environ['PATH']}", "NO_COLOR": "1"}
    ended = subprocess.run(
        [str(BIN / program), *words], cwd=folder, env=environ, capture_output=True, text=True, timeout=DEADLINE_SECONDS
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)
