"""Access tokens: one opens the bridge over HTTP and the REST API alike."""
