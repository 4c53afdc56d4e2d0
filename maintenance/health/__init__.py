"""Whether the site answers, and whether it can do its work."""
