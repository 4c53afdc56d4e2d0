"""Gates: what has to be shown before a task can be completed, and whether it was. Pure."""
