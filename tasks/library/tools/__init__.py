"""MCP tools of the library: the toolset `templates`."""

from tasks.library.tools import templates

__all__ = ["templates"]
