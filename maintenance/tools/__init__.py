"""MCP tools, resources and prompts of maintenance."""

from maintenance.tools import coordinator, handover

__all__ = ["coordinator", "handover"]
