"""Signing in: the local owner, one-time links and their pages."""
