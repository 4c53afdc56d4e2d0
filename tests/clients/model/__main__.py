"""`python -m tests.clients.model --folder FOLDER`: plays FOLDER/script.json and writes down what it was asked.

Its address goes to FOLDER/address, every request to FOLDER/requests.jsonl. It says nothing after N results as long as
there is a FOLDER/hold-N. To a user whose first message contains WORDS it plays what is in FOLDER/for/WORDS instead. It
is also the proxy that clients are given to use, and refuses as such: so an address that a client wanted to reach is in
the log, too. It ends by itself.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from dataclasses import replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Timer

from orchestrator_site.kernel.polling import poll
from tests.clients.model.anthropic import CountTokens, Messages
from tests.clients.model.dialect import Answer, Dialect
from tests.clients.model.google import GenerateContent
from tests.clients.model.openai import Responses
from tests.clients.model.script import Conversation, Json, ScriptError, Turn, next_turn

DIALECTS: dict[str, Dialect] = {
    "/v1/messages/count_tokens": CountTokens(),
    "/v1/messages": Messages(),
    "/v1/responses": Responses(),
    "enerateContent": GenerateContent(),
}


HOLD_SECONDS = 60.0
BYTES_PER_TOKEN = 4


def counted(turn: Turn, size: int) -> Turn:
    """Return a turn with its tokens, after a request of so many bytes."""
    said = len(turn.text) + len(json.dumps(turn.arguments or ""))
    usage = {"input_tokens": size // BYTES_PER_TOKEN, "output_tokens": said // BYTES_PER_TOKEN}
    return replace(turn, usage=usage | turn.usage)


def dialect_of(path: str) -> Dialect | None:
    """Return the API that an address belongs to."""
    return next((dialect for end, dialect in DIALECTS.items() if path.endswith(end)), None)


class Model(ThreadingHTTPServer):
    """The script, and the log of what was asked."""

    daemon_threads = True

    def __init__(self, folder: Path, max_requests: int, seconds: float, counts: bool) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder
        self.seconds = seconds
        self.counts = counts
        self._failed: Counter[tuple[Path, int]] = Counter()
        self._log = folder / "requests.jsonl"
        self._left = max_requests
        self._lock = Lock()

    def place_of(self, conversation: Conversation) -> Path:
        """Return the folder with the script and the holds of a conversation."""
        found = [each for each in (self.folder / "for").glob("*") if each.name in conversation.opening]
        return max(found, key=lambda each: len(each.name), default=self.folder)

    def status(self, place: Path, results: int, errors: tuple[int, ...]) -> int:
        """Return the HTTP status of an answer: the errors of a turn come first, each once."""
        with self._lock:
            number = self._failed[place, results]
            if number == len(errors):
                return HTTPStatus.OK
            self._failed[place, results] += 1
        return errors[number]

    def note(self, **facts: object) -> None:
        """Write a line of the log."""
        with self._lock, self._log.open("a") as log:
            log.write(json.dumps(facts) + "\n")

    def count(self) -> None:
        """Count a request. Raises ScriptError after too many."""
        with self._lock:
            self._left -= 1
        if self._left < 0:
            raise ScriptError("The model was asked too often.")

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that hung up; report other errors."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server: Model

    def do_POST(self) -> None:
        path = self.path.split("?")[0]
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        body = json.loads(raw or "{}")
        dialect = dialect_of(path)
        if dialect is None:
            self._refuse()
            return
        try:
            self._play(dialect, body, path, len(raw))
        except ScriptError as error:
            self.server.note(path=path, problem=str(error))
            self._send(400, Answer.json({"error": {"type": "invalid_request_error", "message": str(error)}}))

    def _play(self, dialect: Dialect, body: Json, path: str, size: int) -> None:
        self.server.count()
        self.server.note(path=path, size=size, body=body)
        conversation = dialect.read(body)
        place, results = self.server.place_of(conversation), len(conversation.results)
        held = place / f"hold-{results}"
        poll(lambda: not held.exists(), seconds=HOLD_SECONDS)
        turn = next_turn(json.loads((place / "script.json").read_text()), conversation)
        if self.server.counts:
            turn = counted(turn, size)
        time.sleep(self.server.seconds)
        status = self.server.status(place, results, turn.errors)
        busy = Answer.json({"type": "error", "error": {"type": "overloaded_error", "message": "Busy."}})
        self._send(status, dialect.write(turn, body, path) if status == HTTPStatus.OK else busy)

    def _refuse(self) -> None:
        """Answer what no model is asked, and what was meant for another address."""
        self.server.note(path=self.path, method=self.command, refused=True)
        self._send(404, Answer.json({"error": {"type": "not_found_error", "message": "Nothing is here."}}))

    do_GET = do_HEAD = do_PUT = do_DELETE = do_CONNECT = _refuse

    def _send(self, status: int, answer: Answer) -> None:
        body = answer.body.encode()
        self.send_response(status)
        self.send_header("Content-Type", answer.media_type)
        self.send_header("Content-Length", str(len(body)))
        if status == HTTPStatus.TOO_MANY_REQUESTS:  # the share is used up, and not only for a while
            self.send_header("x-should-retry", "false")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *values: object) -> None:
        """Say nothing: the log holds more."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--max-requests", type=int, default=60)
    parser.add_argument("--max-seconds", type=float, default=120)
    parser.add_argument("--seconds", type=float, default=0, help="how long the model thinks about each answer")
    parser.add_argument("--count", action="store_true", help="count four bytes as a token, in Anthropic's words")
    options = parser.parse_args()
    with Model(options.folder, options.max_requests, options.seconds, options.count) as model:
        end = Timer(options.max_seconds, model.shutdown)
        end.daemon = True
        end.start()
        port = model.server_address[1]
        (options.folder / "address").write_text(f"http://127.0.0.1:{port}\n")
        model.serve_forever()


if __name__ == "__main__":
    main()
