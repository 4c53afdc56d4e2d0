"""MCP tools of tasks, resources and prompts."""

from tasks.tools import board, extras, loop

__all__ = ["board", "extras", "loop"]
