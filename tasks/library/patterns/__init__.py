"""What finished plans have in common: drafts of templates, success and drift. Pure."""
