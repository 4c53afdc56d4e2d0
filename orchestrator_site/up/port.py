"""Open the port before anything else happens, so that a port in use is reported at once."""

from __future__ import annotations

import errno
import socket
import sys

from django.conf import settings

from orchestrator_site.kernel.errors import Conflict, Forbidden, Invalid

LOOPBACK = {"127.0.0.1": socket.AF_INET, "localhost": socket.AF_INET, "::1": socket.AF_INET6}

ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - they are recognised here
"""Addresses that listen on every interface, and how this machine reaches itself there."""


def take_port(host: str, port: int, *, insecure: bool = False) -> socket.socket:
    """Return a listening socket, to be passed to the server: nothing else can take the port in between.

    Port 0 lets the system choose one. Raises Forbidden for a host that other machines can reach, unless a proxy
    terminates TLS under a name of ours or `insecure` is set; Invalid for a port or host that cannot be used; Conflict
    for a port in use.
    """
    if host not in LOOPBACK and not insecure and not (settings.ORCHESTRATOR_TLS and public_names()):
        raise Forbidden(
            f"The site does not listen on {host}: it speaks plain HTTP, which anyone on the network could read.",
            next="Leave out --host, and from another machine use a tunnel: ssh -L 8000:127.0.0.1:8000 "
            "USER@THIS-MACHINE. Or put a TLS proxy in front and set ORCHESTRATOR_TLS=true and "
            "ORCHESTRATOR_ALLOWED_HOSTS to the name of the site (docs/running.md). On a network where anyone may read "
            "everything: --insecure.",
        )
    try:
        family = LOOPBACK.get(host) or socket.getaddrinfo(host or " ", None, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            if sys.platform == "win32":
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
            else:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
            listener.listen(128)  # at once: on Linux two sockets may bind one port as long as neither listens
        except (OSError, OverflowError):
            listener.close()
            raise
    except (OSError, OverflowError) as error:
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise Conflict(
                f"Port {port} on {host} is in use; perhaps the site runs there already.",
                next=f"Look at http://{netloc(host, port)}/, or use another port: --port {port + 1}",
            ) from error
        why = error.strerror if isinstance(error, OSError) else "a port is a number from 0 to 65535"
        raise Invalid(f"Port {port} on {host} cannot be used: {why}.", next="Use another port: --port 8001") from error
    return listener


def public_names() -> list[str]:
    """Return the names in ORCHESTRATOR_ALLOWED_HOSTS by which others reach the site; `*` is not a name."""
    return [name.lstrip(".") for name in settings.ALLOWED_HOSTS if name.strip("[]") not in LOOPBACK and name != "*"]


def address_of(listener: socket.socket) -> str:
    """Return the URL that a browser opens, with the port that the system chose.

    Behind a TLS proxy it is the proxy's; where the site listens on every interface, it has the first public name.
    """
    names = public_names()
    if settings.ORCHESTRATOR_TLS and names:
        return f"https://{names[0]}"
    host, port = listener.getsockname()[:2]
    if host in ANYWHERE:
        host = names[0] if names else ANYWHERE[host]
    return f"http://{netloc(host, port)}"


def netloc(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
