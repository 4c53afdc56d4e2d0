"""MCP tools of the library: the toolset `templates`."""

from tasks.library.tools import patterns, templates

__all__ = ["patterns", "templates"]
