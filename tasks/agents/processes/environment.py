"""Variables that the processes of a run have besides those that its agent needs."""

from __future__ import annotations


def ports(index: int) -> dict[str, str]:
    """Return the variables that name a block of ports, a different one for each index below 500."""
    raise NotImplementedError
