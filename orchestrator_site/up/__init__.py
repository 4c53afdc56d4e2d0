"""The parts of `manage.py up`: the port, the supervisor, its children, and the greeting."""
