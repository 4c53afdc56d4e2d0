"""REST views of artifacts, uploads and search."""
