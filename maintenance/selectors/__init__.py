"""What maintenance reads: scopes, checks, and what its pages show."""
