"""MCP tools of routing: the toolset `routing`."""
