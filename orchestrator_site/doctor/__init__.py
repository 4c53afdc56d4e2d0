"""Looks at everything that an installation needs, and says of each thing whether it is well and what to do."""
