"""Opens a configured address and speaks to it as an assistant does: straight, without proxies or redirects."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from orchestrator_site.connect.probe import ANSWER_LIMIT, MODERN, NotConnected, Seen, Wire, discover_and_list

DEADLINE_SECONDS = 10.0
_REASONS = {
    401: ("the token is not accepted (401)", "Renew it: python manage.py connect CLIENT --http"),
    403: ("the token may not do this (403)", "Renew it with more: --scopes read,write"),
    404: ("there is no bridge at this address (404)", "Is it the right one, with /mcp at its end?"),
    421: ("the site does not answer to this name (421)", "Add it to ORCHESTRATOR_ALLOWED_HOSTS."),
    429: ("too many failed attempts came from here (429)", "Wait a minute."),
}


def probe_address(url: str, headers: Mapping[str, str], *, deadline_seconds: float = DEADLINE_SECONDS) -> Seen:
    """Open an address and return what it offers; the deadline holds for each of its answers.

    Raises NotConnected.
    """
    if not is_address(url):
        raise NotConnected(f"{url[:200]!r} is no address.", next="Connect the assistant again.")
    began = time.monotonic()
    return discover_and_list(_Posts(url, headers, deadline_seconds), began)


def is_address(url: str) -> bool:
    """Tell whether a text is the whole address of something that can be opened."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and url.split() == [url]
    except ValueError:
        return False


class _Posts(Wire):
    def __init__(self, url: str, headers: Mapping[str, str], seconds: float) -> None:
        self._parts = urlsplit(url)
        self._headers = headers
        self._seconds = seconds
        self._last_id = 0

    def request(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self._last_id += 1
        body = {"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params}
        connection = self._connection()
        try:
            connection.request("POST", self._target, json.dumps(body).encode(), self._all_headers(method))
            with connection.getresponse() as response:
                return self._read(response)
        except OSError as error:
            why = error.strerror or str(error)
            raise NotConnected(
                f"Nothing answers at {self._shown}: {why}.", next="Start the site: python manage.py up"
            ) from error
        except (HTTPException, ValueError) as error:
            raise NotConnected(
                f"What answers at {self._shown} is no bridge: {error}.", next="Who else is there?"
            ) from error
        finally:
            connection.close()

    def notify(self, method: str) -> None:
        """This era has no notifications before the first call."""

    @property
    def _target(self) -> str:
        query = f"?{self._parts.query}" if self._parts.query else ""
        return f"{self._parts.path or '/'}{query}"

    @property
    def _shown(self) -> str:
        """The address without what may be secret in it."""
        return f"{self._parts.scheme}://{self._parts.netloc.rpartition('@')[2]}{self._parts.path}"

    def _connection(self) -> HTTPConnection:
        kind = HTTPSConnection if self._parts.scheme == "https" else HTTPConnection
        return kind(self._parts.hostname or "", self._parts.port, timeout=self._seconds)

    def _all_headers(self, method: str) -> dict[str, str]:
        return {
            **self._headers,
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": MODERN,
            "Mcp-Method": method,
        }

    def _read(self, response: HTTPResponse) -> dict[str, Any]:
        if response.status != 200:
            why, advice = _REASONS.get(response.status, (f"it answered {response.status}", ""))
            raise NotConnected(f"At {self._shown} {why}.", next=advice)
        is_stream = "event-stream" in response.headers.get("Content-Type", "")
        text = self._answering_event(response) if is_stream else b"".join(self._pieces(response))
        message = json.loads(text)
        if not isinstance(message, dict):
            raise ValueError("the answer is no message")
        return message

    def _pieces(self, response: HTTPResponse) -> Iterator[bytes]:
        """Read what is there until the end; raises ValueError for more than may come, or that comes too slowly."""
        ends_at = time.monotonic() + self._seconds
        size = 0
        while piece := response.read1(65536):
            size += len(piece)
            if size > ANSWER_LIMIT or time.monotonic() > ends_at:
                raise ValueError("the answer does not end")
            yield piece

    def _answering_event(self, response: HTTPResponse) -> bytes:
        """Return the event that answers; notices may come before it, and the stream may stay open behind it."""
        rest = b""
        for piece in self._pieces(response):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                data = line.removeprefix(b"data:").strip() if line.startswith(b"data:") else b""
                if data and self._answers(json.loads(data)):
                    return data
        raise ValueError("the stream ended without an answer")

    def _answers(self, message: object) -> bool:
        return isinstance(message, dict) and message.get("id") == self._last_id and "method" not in message
