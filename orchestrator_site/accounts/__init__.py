"""Who may sign in on this site: the local owner, one-time links, and the pages for both."""
