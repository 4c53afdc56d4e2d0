"""REST views of projects, sessions, plans, tasks, dependencies, specialists and events."""
