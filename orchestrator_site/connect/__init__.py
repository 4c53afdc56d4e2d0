"""Add, change, remove and test the MCP server entry in each assistant's configuration."""
