"""Sends a form of a page in a process of its own: `python -m tests.tasks.asker USER TASK VERB SEEN`.

It says `ready` when it has everything up, sends when a line comes on its input, and prints what the page then says.
"""

from __future__ import annotations

import re
import sys

import django


def main(user: str, task: str, verb: str, seen: str) -> None:
    django.setup()
    from django.contrib.auth.models import User
    from django.test import Client

    client = Client(HTTP_HOST="localhost")
    client.force_login(User.objects.get(username=user))
    client.get(f"/tasks/{task}/")
    print("ready", flush=True)
    sys.stdin.readline()
    form = {"seen": seen, "reason": ""}
    answer = client.post(f"/tasks/{task}/act/{verb}/", form, follow=True)
    notes = re.findall(r'class="note (\w+)" data-code="(\w+)"><bdi>(.*?)</bdi>', answer.content.decode(), re.DOTALL)
    print(*(f"{level} {code}: {text}" for level, code, text in notes), sep="\n", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:5])
