"""The jail of an agent: bubblewrap, with process ids and a file system of its own."""

from __future__ import annotations


def probe_jail() -> str | None:
    """Return why agents cannot be jailed on this machine, as a sentence for people, or None where they can."""
    raise NotImplementedError
