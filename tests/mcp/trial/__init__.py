"""An app with tools that misbehave on request; only the tests install it."""
