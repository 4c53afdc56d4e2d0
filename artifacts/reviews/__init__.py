"""Reviewing delivered work in the browser: what waits for a review, and the work beside what was said of it."""
