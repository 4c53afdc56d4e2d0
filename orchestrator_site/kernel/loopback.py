"""A port of this machine where there can be no Unix socket: each end proves that it knows the secret in a private file.

Neither end says anything else before, as any user may connect to the port, or take it once a site was killed. Standard
library only, like the proxy itself.
"""

from __future__ import annotations

import json
import os
import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FILE = "assistants.json"
HOST = "127.0.0.1"
SITE, ASSISTANT = "site", "assistant"
_LONGEST_LINE = 64 * 1024


class Place:
    """Where a site listens, as its file says."""

    def __init__(self, port: int, secret: str) -> None:
        self.port = port
        self.secret = secret

    def proof(self, who: str, nonce: str) -> str:
        import hmac  # most proxies find a Unix socket

        return hmac.digest(self.secret.encode(), f"{who} {nonce}".encode(), "sha256").hex()

    def is_proof(self, given: Any, who: str, nonce: str) -> bool:
        import hmac

        return hmac.compare_digest(str(given).encode(), self.proof(who, nonce).encode())

    def meet(self, connection: socket.socket) -> str:
        """Connect to the site, and return what proves to it who we are. Raises OSError and ValueError."""
        connection.connect((HOST, self.port))
        nonce = new_nonce()
        connection.sendall(json.dumps({"nonce": nonce}).encode() + b"\n")
        answer = _facts_in(line_from(connection))
        if not self.is_proof(answer.get("proof"), SITE, nonce):
            raise ValueError("another program has its port")
        return self.proof(ASSISTANT, str(answer.get("nonce")))

    def answer(self, line: bytes) -> tuple[str, bytes]:
        """Return the site's nonce, and its answer to the first line of a connection. Raises ValueError."""
        asked, nonce = _facts_in(line).get("nonce"), new_nonce()
        if not isinstance(asked, str):
            raise ValueError("no nonce")
        said = {"nonce": nonce, "proof": self.proof(SITE, asked)}
        return nonce, json.dumps(said).encode() + b"\n"


def _facts_in(line: bytes) -> dict[str, Any]:
    """Return what a stranger may have written. Raises ValueError."""
    try:
        facts = json.loads(line)
    except RecursionError:
        facts = None
    if not isinstance(facts, dict):
        raise ValueError("it does not speak as a site does")
    return facts


def new_nonce() -> str:
    return os.urandom(16).hex()


def place_in(folder: str) -> Place | None:
    """Return what the file in a folder says; None where there is none."""
    try:
        with open(os.path.join(folder, FILE), "rb") as file:  # noqa: PTH118, PTH123 - pathlib is slow to import
            facts = json.load(file)
        return Place(int(facts["port"]), str(facts["secret"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def line_from(connection: socket.socket) -> bytes:
    """Return a line, which nothing follows until we answer. Raises ConnectionError."""
    line = b""
    while not line.endswith(b"\n"):
        if not (chunk := connection.recv(4096)) or len(line) > _LONGEST_LINE:
            raise ConnectionError("it has hung up")
        line += chunk
    return line
