"""Search over tasks and artifacts: documents that the services write, and one function that queries them."""
