"""Drawing on the server: plain functions from graphs and times to shapes and places, and from these to SVG."""
