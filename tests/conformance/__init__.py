"""The official conformance suite and Inspector against the MCP server."""
