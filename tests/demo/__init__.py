"""`python -m tests.demo`: two assistants and a crash between them, over real pipes, with the SDK's own client."""
