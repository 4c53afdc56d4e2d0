"""A demo project: a bookshop checkout, half built by three assistants and reviewed by a person."""

CONNECTION = "sample:"
"""The prefix of the connection ids of the sample's sessions; no real connection uses it."""
