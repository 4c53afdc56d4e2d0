"""The subcommands of `manage.py artifacts`, a module for each."""
