"""`python -m tests.bench`: the speed table of the product, measured on this machine (docs/bench.md)."""
