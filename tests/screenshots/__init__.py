"""`python -m tests.screenshots`: the screenshots in README and docs, of the sample project."""
