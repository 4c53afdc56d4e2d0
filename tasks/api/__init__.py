"""The REST door of projects, sessions, plans, tasks, dependencies and specialists."""
