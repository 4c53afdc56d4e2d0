"""Insights: suggestions that learn from a project's own history, and the figures of its work."""
