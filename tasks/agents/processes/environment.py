"""Variables that the processes of a run have besides those that its agent needs."""

from __future__ import annotations

_FIRST_PORT, _BLOCK, _BLOCKS = 21_000, 20, 500  # below the ports that systems give out themselves


def ports(index: int) -> dict[str, str]:
    """Return the variables that name a block of ports, a different one for each index below 500."""
    first = _FIRST_PORT + index % _BLOCKS * _BLOCK
    return {"PORT": str(first), "ORCHESTRATOR_PORTS": f"{first}-{first + _BLOCK - 1}"}
