"""Take the port before anything else happens, so that a port which is taken is said at once."""

from __future__ import annotations

import errno
import socket
import sys

from django.conf import settings

from orchestrator_site.kernel.errors import Conflict, Forbidden, Invalid

LOOPBACK = {"127.0.0.1": socket.AF_INET, "localhost": socket.AF_INET, "::1": socket.AF_INET6}

ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - they are recognised here
"""Addresses at which a machine listens everywhere, and how it reaches itself then."""


def take_port(host: str, port: int, *, insecure: bool = False) -> socket.socket:
    """Return a listening socket, to be handed to the server: nobody can take the port in between.

    Port 0 lets the system choose one. Raises Forbidden for a host that others can reach, unless a proxy speaks TLS for
    us under a name of ours, or `insecure` asks for it; Invalid for a port that cannot be; Conflict where it is taken.
    """
    if host not in LOOPBACK and not insecure:
        _require_tls(host)
    try:
        listener = socket.socket(_family(host), socket.SOCK_STREAM)
    except OSError as error:
        raise _refusal(host, port, error) from error
    try:
        _listen(listener, host, port)
    except (OSError, OverflowError) as error:
        listener.close()
        raise _refusal(host, port, error) from error
    return listener


def _require_tls(host: str) -> None:
    """Raises Forbidden."""
    if settings.ORCHESTRATOR_TLS and public_names():
        return
    raise Forbidden(
        f"The site is served to this machine only, not on {host}: it speaks plain HTTP, which others could read.",
        next="Leave --host out, and from another machine use a tunnel: ssh -L 8000:127.0.0.1:8000 USER@THIS-MACHINE. "
        "Or let a proxy speak TLS and set ORCHESTRATOR_TLS=true and ORCHESTRATOR_ALLOWED_HOSTS to the site's name "
        "(docs/running.md). On a network where everybody may read everything: --insecure.",
    )


def public_names() -> list[str]:
    """Return the names of ORCHESTRATOR_ALLOWED_HOSTS that others can call the site by; `*` is no name."""
    return [name.lstrip(".") for name in settings.ALLOWED_HOSTS if name.strip("[]") not in LOOPBACK and name != "*"]


def _family(host: str) -> socket.AddressFamily:
    """Raises OSError for a name that nobody knows."""
    if host in LOOPBACK:
        return LOOPBACK[host]
    return socket.getaddrinfo(host or " ", None, type=socket.SOCK_STREAM)[0][0]


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
    """Return the address that a browser opens, with the port that the system chose.

    Behind a proxy that speaks TLS it is the proxy's; where everybody may come, it is the first name that we answer to.
    """
    names = public_names()
    if settings.ORCHESTRATOR_TLS and names:
        return f"https://{names[0]}"
    host, port = listener.getsockname()[:2]
    if host in ANYWHERE:
        host = names[0] if names else ANYWHERE[host]
    return f"http://{netloc(host, port)}"


def netloc(host: str, port: int) -> str:
    """Write host and port as a URL does."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
