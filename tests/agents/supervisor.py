"""A supervisor as a process: `start FOLDER ACT…` starts a run and waits, `adopt FOLDER PROCESS OFFSET` ends it."""

from __future__ import annotations

import dataclasses
import json
import signal
import sys
from pathlib import Path

from tasks.agents.processes import Process, end, is_alive, read, send, start, wait
from tests.agents.runs import job


def main(verb: str, folder: str, *words: str) -> None:
    if verb == "start":
        process = start(**job(folder.replace("/", "_"), Path(folder), *words), stdin_stays_open=True)
        print(json.dumps(dataclasses.asdict(process)), flush=True)
        signal.pause()
    adopted = Process(**json.loads(words[0]))
    assert is_alive(adopted)
    send(adopted, [b"from the next supervisor"], last=True)
    exited = wait(adopted, seconds=60)
    lines = read(adopted, int(words[1])).lines
    ended = end(adopted)
    print(json.dumps([exited and exited.code, [line.decode() for line in lines], len(ended.strays)]))


if __name__ == "__main__":
    main(*sys.argv[1:])
