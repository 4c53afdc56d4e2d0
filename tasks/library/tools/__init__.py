"""MCP tools of the library: toolset `templates`."""
