"""The bridge, driven over real pipes."""
