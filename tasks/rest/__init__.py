"""What the REST API is made of in every app: problems, paging, filters, conditions, idempotency and one base view."""
