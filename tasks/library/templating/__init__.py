"""Templates of plans: the format, its values, and the tree that they make. Pure, but for the folder that is read."""
