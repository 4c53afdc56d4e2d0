"""A project to look around in: a bookshop's checkout, half built by three assistants and a person."""
