"""The REST door of delivered work."""
