"""A model that plays a script: the APIs of three vendors on loopback, so that real clients run without a real model."""
