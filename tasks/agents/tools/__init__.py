"""MCP tools of runs: the toolset `isolation`. None of them switches isolation on."""

from tasks.agents.tools import merge, monitor, start

__all__ = ["merge", "monitor", "start"]
