"""What `manage.py up` is made of: the port, the server and the words it greets with."""
