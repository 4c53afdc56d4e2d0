"""The REST API of maintenance."""
