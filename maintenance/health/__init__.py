"""Liveness and readiness for monitors and proxies."""
