"""A demo project: a bookshop checkout, half built by three assistants and reviewed by a person."""
