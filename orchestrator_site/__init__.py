"""The site, its commands and the bridge to AI assistants."""

__version__ = "2.0.0.dev0"
