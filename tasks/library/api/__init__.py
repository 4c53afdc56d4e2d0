"""REST endpoints of the library."""
