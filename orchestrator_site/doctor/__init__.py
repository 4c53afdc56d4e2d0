"""Check everything an installation needs, and say what to do about each problem."""
