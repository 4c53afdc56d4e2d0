"""Access tokens for MCP over HTTP and the REST API."""
