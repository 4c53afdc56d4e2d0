"""Connecting assistants: where each keeps its configuration, how one entry in it is changed, and how it is tried."""
