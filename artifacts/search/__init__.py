"""Search over tasks and delivered work: documents that the services write, and one seam that asks them."""
