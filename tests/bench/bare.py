"""The SDK alone with one tool that does nothing, on a socket that is given: what our own work is compared with."""

from __future__ import annotations

import socket
import sys

import uvicorn
from mcp.server import MCPServer

bare: MCPServer[None] = MCPServer("bare", log_level="WARNING")


@bare.tool()
async def noop() -> str:
    """Do nothing."""
    return "done"


if __name__ == "__main__":
    config = uvicorn.Config(bare.streamable_http_app(), http="h11", log_level="warning", access_log=False)
    print("{}", flush=True)
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[1]))])
