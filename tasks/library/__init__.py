"""The library: templates of plans, patterns found in finished ones, and contexts for specialists."""
