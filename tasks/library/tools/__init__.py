"""MCP tools of the library: the toolset `templates`."""

from tasks.library.tools import contexts, patterns, templates

__all__ = ["contexts", "patterns", "templates"]
