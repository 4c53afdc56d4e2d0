"""What the figures of a project count, without the database: docs/insights.md defines each."""
