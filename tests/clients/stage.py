"""Where a client runs: a home and a project of its own, a model that plays a script, and no other address."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.clients.installed import NODE_BIN
from tests.clients.model.__main__ import dialect_of
from tests.clients.model.script import Json, Result
from tests.clients.network import ROOT, Network
from tests.clients.scenario import script
from tests.site.processes import wait_until

CLIENT_SECONDS = 90


@dataclass(frozen=True, slots=True)
class Ran:
    """A client that ended: what it wrote, line by line as JSON where it is that."""

    exit_code: int
    out: str
    err: str

    @property
    def events(self) -> list[Json]:
        return [json.loads(line) for line in self.out.splitlines() if line.startswith("{")]


@dataclass(frozen=True, slots=True)
class Stage:
    """One test's folder, with the address of the model that plays in it."""

    folder: Path
    network: Network
    model: str
    seconds: float = CLIENT_SECONDS

    @property
    def home(self) -> Path:
        """The client's home, which it finds empty."""
        return self.folder / "client"

    @property
    def project(self) -> Path:
        return self.folder / "shop"

    def write(self, path: str, content: str) -> Path:
        """Write a file below the client's home."""
        file = self.home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        return file

    def run(self, *command: str | Path, **environment: str) -> Ran:
        """Run a client to its end, with nothing of this environment; after a while, kill it and all that it started."""
        process = subprocess.Popen(
            [*self.network.words, *map(str, command)],
            cwd=self.project,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            out, err = process.communicate(timeout=self.seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
        return Ran(process.returncode, out, err)

    @property
    def environment(self) -> dict[str, str]:
        """Every address but loopback is asked for at the model, which writes it down and refuses."""
        proxies = dict.fromkeys(["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"], self.model)
        loopback = dict.fromkeys(["NO_PROXY", "no_proxy"], "127.0.0.1,localhost")
        path = f"{NODE_BIN}:/usr/local/bin:/usr/bin:/bin"
        return {"PATH": path, "HOME": str(self.home), "TERM": "dumb", "LANG": "C.UTF-8", **proxies, **loopback}

    # The model

    def hold(self, results: int, words: str = "") -> Path:
        """Let the model say nothing after so many results, until the file that is returned is removed."""
        file = self._place(words) / f"hold-{results}"
        file.touch()
        return file

    def play(self, words: str, *turns: Json) -> None:
        """Let the model say this to a user whose first message contains these words."""
        self._place(words).mkdir(parents=True)
        (self._place(words) / "script.json").write_text(json.dumps(turns))

    def _place(self, words: str) -> Path:
        return self.folder / "model" / (f"for/{words}" if words else "")

    @property
    def requests(self) -> list[Json]:
        log = self.folder / "model/requests.jsonl"
        written = log.read_text().splitlines(keepends=True) if log.exists() else []
        return [json.loads(line) for line in written if line.endswith("\n")]  # the last may be half written

    def shown(self) -> list[Result]:
        """Return the tool results as the client showed them in its last request that holds any."""
        talks = [(dialect_of(request["path"]), request["body"]) for request in self.requests if "body" in request]
        read = [dialect.read(body).results for dialect, body in talks if dialect]
        return max(read, key=len, default=[])


@contextmanager
def set_up(folder: Path, network: Network, *options: str) -> Iterator[Stage]:
    """Start the model with the script of the one scenario."""
    model = folder / "model"
    for each in (model, folder / "client", folder / "shop"):
        each.mkdir()
    (model / "script.json").write_text(json.dumps(script(folder / "shop")))
    command = [*network.words, sys.executable, "-m", "tests.clients.model", "--folder", str(model), *options]
    with subprocess.Popen(command, cwd=ROOT) as process:
        try:
            address = model / "address"
            wait_until(lambda: address.exists() and address.read_text().endswith("\n"), "the model's address")
            yield Stage(folder, network, address.read_text().strip())
        finally:
            process.kill()
