"""A network of its own for the processes of a test: loopback and nothing else, where the system allows that."""

from __future__ import annotations

import fcntl
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SIOCSIFFLAGS = 0x8914
IFF_UP_AND_RUNNING = 0x41

# Root needs no user namespace; other users do, if the system allows it.
WAYS = (("--net",), ("--net", "--user", "--map-root-user"))


@dataclass(frozen=True, slots=True)
class Network:
    """How to start a process in it: with these words before the command. Without words it is the common network."""

    words: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        return "a namespace with nothing but loopback" if self.words else "the common one; only the proxy forbids"


@contextmanager
def offline() -> Iterator[Network]:
    """Open a network that ends with the test; where the system refuses, give the common one."""
    for way in WAYS:
        keeper = subprocess.Popen(
            ["unshare", *way, sys.executable, "-m", "tests.clients.network"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        with keeper:
            assert keeper.stdout
            if keeper.stdout.readline():
                yield Network(_enter(keeper.pid, way))
                return
    yield Network()


def _enter(pid: int, way: tuple[str, ...]) -> tuple[str, ...]:
    kept = ("--user", "--preserve-credentials") if "--user" in way else ()
    return ("nsenter", "--target", str(pid), "--net", *kept, "--")


def main() -> None:
    """Bring loopback up, say so, and keep the network for as long as standard input is open."""
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP_AND_RUNNING))
    print("up", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
