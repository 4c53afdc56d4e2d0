"""Does the bridge keep the protocol? The official suite and the official inspector say."""
