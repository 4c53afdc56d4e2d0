"""REST endpoints of routing and insights."""
