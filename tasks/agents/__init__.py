"""Runs: coding agents that do subtasks in processes, context windows and worktrees of their own."""
