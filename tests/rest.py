"""A client of the REST API: one credential, through the whole stack of Django but the socket."""

from __future__ import annotations

import itertools
import json
from typing import Any

from django.contrib.auth.models import User
from django.test import Client

from orchestrator_site.tokens.service import create_token
from tasks.models import Project
from tests.factories import make_user

_serial = itertools.count(1)
API = "/api/v1"
ALL = ("read", "write", "review", "admin")


class Rest:
    """Sends JSON as a token, or as whoever the client is signed in as."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def send(self, method: str, address: str, body: Any = None, **headers: str) -> Any:
        """Send a request to an address below /api/v1, or to a whole one that was answered."""
        whole = address if address.startswith(("http:", API)) else f"{API}{address}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is None:
            return self.client.generic(method, whole, headers=named)
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.generic(method, whole, raw, content_type="application/json", headers=named)

    def get(self, address: str, **headers: str) -> Any:
        """Read what must be there."""
        return _well(self.send("GET", address, **headers)).json()

    def post(self, address: str, body: Any = None, **headers: str) -> Any:
        """Do what must succeed."""
        return _well(self.send("POST", address, body or {}, **headers)).json()

    def refused(self, status: int, method: str, address: str, body: Any = None, **headers: str) -> dict[str, Any]:
        """Send what must be refused with a problem, and return it."""
        response = self.send(method, address, body, **headers)
        assert response.status_code == status, (response.status_code, response.content)
        assert response["Content-Type"] == "application/problem+json"
        problem: dict[str, Any] = response.json()
        assert problem["status"] == status
        assert problem["type"] == f"/api/v1/problems/{problem['code']}"
        assert problem["instance"] and problem["detail"] and problem["title"]
        return problem

    def plan(self, project: Project, *titles: str, **more: Any) -> dict[str, str]:
        """Plan subtasks; returns their ids by title, and the plan's as `plan`."""
        subtasks = [subtask(title) for title in titles] if titles else more.pop("subtasks")
        made = self.post("/plans", {"project": project.slug, "description": "A job", "subtasks": subtasks, **more})
        return {row["title"]: row["task_id"] for row in made["subtasks"]} | {"plan": made["plan"]}


def subtask(title: str, **more: Any) -> dict[str, Any]:
    """A subtask as a plan asks for it."""
    return {"title": title, "description": f"Do {title}", "specialist_type": "implementer", **more}


def rest(owner: User | None = None, *, scopes: tuple[str, ...] = ALL, project: Project | None = None) -> Rest:
    """Return a client with a token of its own."""
    number = next(_serial)
    owner = owner or make_user(f"owner-{number}", is_staff=True, is_superuser=True)
    secret = create_token(owner=owner, name=f"token {number}", scopes=scopes, project=project)[1]
    return Rest(Client(headers={"Authorization": f"Bearer {secret}"}))


def signed_in_rest(**fields: Any) -> Rest:
    """Return a client of a person who signed in, and whose pages carry the CSRF token."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user(**fields))
    return Rest(client)


def _well(response: Any) -> Any:
    assert response.status_code in (200, 201, 204), (response.status_code, response.content)
    return response
