"""The board of a site elsewhere, through its REST API."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from http import HTTPStatus
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from orchestrator_site.attest.board import Asked, Commands, Gated, Judged
from orchestrator_site.kernel.errors import Conflict, Invalid, Transient
from orchestrator_site.kernel.text import shortened
from orchestrator_site.up.port import LOOPBACK

SECONDS = 30
_TASKS_LIMIT = 100
_ANSWER_LIMIT = 16 * 1024**2


class Refused(Conflict):
    """What the site says against a request, in its own words."""


class _Stay(HTTPRedirectHandler):
    """Goes nowhere else: the token is for this site."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class RemoteBoard:
    def __init__(self, url: str, secret: str, task_id: str | None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise Invalid("--site must be the address of a site, such as https://orchestrator.example.org.")
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise Invalid(
                "--site: only https may lead to another machine: the site says what is run here, and gets your token.",
                next=f"Retry with https://{parts.hostname}, or with a tunnel: ssh -L 8000:127.0.0.1:8000 USER@MACHINE",
            )
        self._api = f"{parts.scheme}://{parts.netloc}/api/v1"
        self._secret, self._task_id = secret, task_id

    def commands(self) -> Commands:
        found: Commands = self._project["settings"].get("gates", {}).get("commands", {})
        return found

    def gated(self, task_id: str | None) -> list[Gated]:
        if task_id is not None:
            return [self._gated(task_id)]
        slug = quote(self._project["slug"], safe="")
        query, found = f"project={slug}&status=active&is_leaf=true&limit={_TASKS_LIMIT}", list[Gated]()
        while query:
            answer = self._call(f"/tasks?{query}")
            found += [task for row in answer["results"] if (task := self._gated(row["task_id"])).gates]
            query = urlsplit(answer["next"] or "").query  # of the next page; where the site is, we know
        return found

    def ask(self, task_id: str, gate: str, command: str) -> Asked:
        made = self._call(f"/tasks/{quote(task_id, safe='')}/challenges", {"gate": gate, "command": command})
        return Asked(
            gate, made["challenge"], made["command"], made["argv"], made["timeout_seconds"], made.get("report", "")
        )

    def give(self, task_id: str, pieces: Sequence[Mapping[str, Any]]) -> list[Judged]:
        key = hashlib.sha256(str(pieces[0]["challenge"]).encode()).hexdigest()
        answer = self._call(f"/tasks/{quote(task_id, safe='')}/evidence", {"evidence": list(map(_sent, pieces))}, key)
        given = [piece["gate"] for piece in pieces]
        return [
            Judged(each["gate"], each["met"], each["why_not"], each["next"])
            for each in answer["gates"]
            if each["gate"] in given
        ]

    @cached_property
    def _project(self) -> dict[str, Any]:
        if self._task_id is not None:
            slug = self._call(f"/tasks/{quote(self._task_id, safe='')}")["project"]
            return self._call(f"/projects/{quote(slug, safe='')}")
        found = self._call("/projects?limit=2")["results"]
        if len(found) != 1:
            raise Invalid(
                f"The access token sees {'several projects' if found else 'no project'} of the site.",
                next="Name the task: --task ID, or use a token for one project.",
            )
        return self._call(f"/projects/{quote(found[0]['slug'], safe='')}")

    def _gated(self, task_id: str) -> Gated:
        task = self._call(f"/tasks/{quote(task_id, safe='')}")
        return Gated(task["task_id"], task["title"], task["gates"])

    def _call(self, path: str, body: Mapping[str, Any] | None = None, key: str = "") -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._secret}", "Content-Type": "application/json"}
        headers |= {"Idempotency-Key": key} if key else {}
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self._api}{path}", data, headers)  # noqa: S310 - http or https, checked above
        try:
            with build_opener(_Stay).open(request, timeout=SECONDS) as answer:
                found = json.loads(answer.read(_ANSWER_LIMIT))
        except HTTPError as error:
            raise _refused(error) from error
        except (OSError, HTTPException, ValueError) as error:
            raise Transient(f"{self._api} cannot be reached: {error.__class__.__name__}.") from error
        if not isinstance(found, dict):
            raise Transient(f"{self._api} does not answer as a site does.")
        return found


def _sent(piece: Mapping[str, Any]) -> dict[str, Any]:
    facts = piece["facts"]
    return {name: value for name, value in {**piece, **facts}.items() if value is not None and name != "facts"}


def _refused(error: HTTPError) -> Refused | Transient:
    try:
        problem = json.loads(error.read(_ANSWER_LIMIT))
        said, following = str(problem["detail"]), str(problem.get("next", ""))
    except (ValueError, KeyError, TypeError, OSError):
        said, following = f"The site answers with status {error.code}.", ""
    if error.code >= 500 or error.code == HTTPStatus.TOO_MANY_REQUESTS:
        return Transient(shortened(said, 500), next=following)
    return Refused(shortened(said, 500), next=shortened(following, 500))
