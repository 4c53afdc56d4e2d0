"""The text of a handover: its fifteen parts from facts that were read before, the same bytes for the same facts."""
