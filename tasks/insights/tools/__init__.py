"""MCP tools of routing: the toolset `routing`."""

from tasks.insights.tools import intelligence, workload

__all__ = ["intelligence", "workload"]
