"""Django's PostgreSQL backend, which also tells a call about its commits."""
