"""The MCP door of tasks: the loop, the board, and the extras (resources and prompts)."""

from tasks.tools import board, extras, loop

__all__ = ["board", "extras", "loop"]
