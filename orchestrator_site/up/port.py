"""Take the port before anything else happens, so that a port which is taken is said at once."""

from __future__ import annotations

import errno
import socket
import sys

from tasks.errors import Conflict, Forbidden, Invalid

LOOPBACK = {"127.0.0.1": socket.AF_INET, "localhost": socket.AF_INET, "::1": socket.AF_INET6}


def take_port(host: str, port: int) -> socket.socket:
    """Return a listening socket, to be handed to the server: nobody can take the port in between.

    Port 0 lets the system choose one. Raises Forbidden for a host that others can reach, Invalid for a port that cannot
    be, and Conflict where the port is taken.
    """
    if host not in LOOPBACK:
        raise Forbidden(
            f"The site is served to this machine only, not on {host}: it speaks plain HTTP, which others could read.",
            next="Leave --host out. From another machine, use a tunnel: ssh -L 8000:127.0.0.1:8000 USER@THIS-MACHINE",
        )
    listener = socket.socket(LOOPBACK[host], socket.SOCK_STREAM)
    try:
        _listen(listener, host, port)
    except (OSError, OverflowError) as error:
        listener.close()
        raise _refusal(host, port, error) from error
    return listener


def _listen(listener: socket.socket, host: str, port: int) -> None:
    """Listen at once: on Linux two sockets may be bound to one port as long as neither of them listens."""
    if sys.platform == "win32":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
    else:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(128)


def _refusal(host: str, port: int, error: OSError | OverflowError) -> Conflict | Invalid:
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return Conflict(
            f"Port {port} on {host} is taken; perhaps the site runs there already.",
            next=f"Look at http://{netloc(host, port)}/, or start on another port: --port {port + 1}",
        )
    reason = error.strerror if isinstance(error, OSError) else "a port is a number from 0 to 65535"
    return Invalid(f"Port {port} on {host} cannot be used: {reason}.", next="Start on another port: --port 8001")


def address_of(listener: socket.socket) -> str:
    """Return the address that a browser opens, with the port that the system chose."""
    host, port = listener.getsockname()[:2]
    return f"http://{netloc(host, port)}"


def netloc(host: str, port: int) -> str:
    """Write host and port as a URL does."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
