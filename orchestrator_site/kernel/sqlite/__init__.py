"""A database backend: SQLite as Django has it, with less work per statement."""
