"""What `manage.py up` is made of: the port, the supervisor, its children, and the words it greets with."""
