"""What `manage.py artifacts` can be told to do: a module for each word, with its options and what it does."""
