"""An app with tools that misbehave on request; only the tests install it."""

CRASH = "no such column in SELECT * FROM /srv/secret"
"""What its tools, resources and prompts say when they break: nothing that a client should read."""
