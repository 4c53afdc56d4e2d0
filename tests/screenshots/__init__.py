"""`python -m tests.screenshots`: the pictures of the pages in README and docs, from the sample project."""
