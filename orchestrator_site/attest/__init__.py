"""Runs a command that the project's settings name, in the user's own shell, and reports what came of it."""
