"""MCP resources and prompts of maintenance."""

from maintenance.tools import handover

__all__ = ["handover"]
