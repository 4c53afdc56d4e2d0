"""The REST API against its own OpenAPI document."""
