"""Contexts: how alike two are, and which of them a task calls for. Pure, but for the folder that is read."""
