"""The export of a plan: a zip of its rows, its artifacts' bytes, and a manifest of hashes."""
